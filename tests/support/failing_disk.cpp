#include "tests/support/failing_disk.h"

#include <fmt/format.h>

#include <filesystem>

namespace pipekit::test {

std::vector<std::string> FailingDisk::env() const {
  return {"LD_PRELOAD=" PIPEKIT_BIN_DIR "/pipekit_failing_disk.so", "FAILING_DISK=" + dir_.file("now")};
}

void FailingDisk::fail_writes(int error) const { fail("write", error); }

void FailingDisk::fail_syncs(int error) const { fail("sync", error); }

// The file gets its name only when it is complete, because the program may read it at any moment.
void FailingDisk::fail(const std::string& call, int error) const {
  std::filesystem::rename(dir_.write("next", fmt::format("{} {}", call, error)), dir_.file("now"));
}

void FailingDisk::work() const { std::filesystem::remove(dir_.file("now")); }

}  // namespace pipekit::test
