#include "broker/store/lock_holder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace pipekit::store {
namespace {

// Bytes of the -shm file that SQLite locks in WAL mode (its walformat document, "WAL locks").
constexpr int64_t kWriteByte = 120;
constexpr int64_t kFirstReadByte = 123;
constexpr int64_t kLastReadByte = 127;

std::string read_whole(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

std::optional<int> lock_holder_in(std::string_view locks, uint64_t inode, LockKind kind, int own_pid) {
  const auto first = kind == LockKind::writing ? kWriteByte : kFirstReadByte;
  const auto last = kind == LockKind::writing ? kWriteByte : kLastReadByte;
  std::istringstream lines{std::string(locks)};
  for (std::string line; std::getline(lines, line);) {
    // "1: POSIX  ADVISORY  WRITE 1234 fe:01:5678 120 120"; one that waits has "->" before the kind.
    std::istringstream words(line);
    std::string number;
    std::string family;
    std::string mode;
    std::string access;
    std::string file;
    std::string to;
    int pid = 0;
    int64_t from = 0;
    if (!(words >> number >> family >> mode >> access >> pid >> file >> from >> to)) continue;
    const auto colon = file.rfind(':');
    if (family != "POSIX" || pid <= 0 || pid == own_pid || colon == std::string::npos) continue;
    if (file.substr(colon + 1) != std::to_string(inode)) continue;
    const auto until = to == "EOF" ? INT64_MAX : std::atoll(to.c_str());
    if (from <= last && until >= first) return pid;
  }
  return std::nullopt;
}

std::optional<std::string> lock_holder(const std::filesystem::path& store, LockKind kind) {
  struct stat info {};
  if (::stat((store.string() + "-shm").c_str(), &info) != 0) return std::nullopt;
  const auto pid = lock_holder_in(read_whole("/proc/locks"), info.st_ino, kind, ::getpid());
  if (!pid) return std::nullopt;
  auto name = read_whole(fmt::format("/proc/{}/comm", *pid));
  while (!name.empty() && static_cast<unsigned char>(name.back()) <= ' ') name.pop_back();
  return name.empty() ? fmt::format("process {}", *pid) : fmt::format("process {} ({})", *pid, name);
}

}  // namespace pipekit::store
