#include "worker/jrunner_program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <sstream>

#include "shared/clock.h"
#include "shared/poller.h"
#include "worker/process.h"

namespace pipekit::worker {
namespace {

namespace fs = std::filesystem;

constexpr auto kBundled = "pipekit-jrunner";
constexpr Millis kProbeLimit{10'000};

std::string in_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream dirs(path == nullptr ? "" : path);
  for (std::string dir; std::getline(dirs, dir, ':');) {
    const auto file = fs::path(dir.empty() ? "." : dir) / name;
    if (::access(file.c_str(), X_OK) == 0 && fs::is_regular_file(file)) return file.string();
  }
  return "";
}

std::string beside_this_program() {
  std::error_code failed;
  const auto file = fs::read_symlink("/proc/self/exe", failed).parent_path() / kBundled;
  return !failed && ::access(file.c_str(), X_OK) == 0 ? file.string() : "";
}

// What `--version` prints first; nothing when that takes too long (a Java runner may take it for a query and wait).
std::string version_line(const std::string& path, const Variables& environment) {
  auto process = Process::spawn({{path, "--version"}, environment, {}, -1, {}});
  if (!process) return "";
  const SystemClock clock;
  const auto deadline = clock.now() + kProbeLimit;
  Poller poller;
  const auto on_out = poller.add(process->stdout_fd());
  std::string text;
  while (text.find('\n') == std::string::npos && clock.now() < deadline) {
    poller.wait_until(deadline, clock);
    if (!poller.readable(on_out)) continue;
    std::array<char, 512> buffer;
    const auto n = ::read(process->stdout_fd(), buffer.data(), buffer.size());
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(n));
  }
  return text;
}

}  // namespace

Result<JrunnerProgram> find_jrunner(const std::string& given, const Variables& environment) {
  auto path = given;
  if (given.empty()) {
    path = beside_this_program();
    if (path.empty()) path = in_path(kBundled);
  } else if (given.find('/') == std::string::npos) {
    path = in_path(given);
  }
  if (path.empty() || ::access(path.c_str(), X_OK) != 0) {
    return Error{ErrorCode::kUnavailable, fmt::format("there is no runner {}", given.empty() ? kBundled : given),
                 "name an executable file with --jrunner"};
  }
  return JrunnerProgram{path, version_line(path, environment).starts_with("pipekit-jrunner ")};
}

}  // namespace pipekit::worker
