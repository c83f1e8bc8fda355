#include "tests/support/small_disk.h"

#include <sys/mount.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <system_error>

namespace pipekit::test {

SmallDisk::SmallDisk() {
  mounted_ = ::mount("pipekit-test", dir_.path().c_str(), "tmpfs", 0, "size=3m,mode=0700") == 0;
}

SmallDisk::~SmallDisk() {
  if (mounted_) ::umount2(dir_.path().c_str(), MNT_DETACH);
}

void SmallDisk::fill() const {
  std::ofstream filler(path() / "filler", std::ios::binary);
  const std::string block(4096, 'x');
  while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
}

void SmallDisk::make_room() const { std::filesystem::remove(path() / "filler"); }

void SmallDisk::make_read_only() const {
  if (::mount("pipekit-test", dir_.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0) return;
  throw std::system_error(errno, std::generic_category(), "remount " + path().string());
}

}  // namespace pipekit::test
