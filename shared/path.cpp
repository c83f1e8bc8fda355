#include "shared/path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace pipekit {
namespace {

namespace fs = std::filesystem;

std::string home() {
  const char* home = std::getenv("HOME");  // one thread: main reads its options
  return home != nullptr && *home == '/' ? home : "/home/NAME";
}

bool has_parent_step(const fs::path& path) {
  return std::ranges::any_of(path, [](const fs::path& part) { return part == ".."; });
}

}  // namespace

Result<std::string> full_path(const Given& path) {
  if (path.value.empty()) return std::string();
  if (path.value.front() == '~') {
    const auto slash = path.value.find('/');
    return Error{ErrorCode::kUsage,
                 fmt::format("{}: \"{}\" begins with ~, which only a shell expands", path.source, path.value),
                 fmt::format("write the path in full: {}{}", home(),
                             slash == std::string::npos ? "" : path.value.substr(slash))};
  }
  if (path.value.find('\0') != std::string::npos) {
    return Error{ErrorCode::kUsage, fmt::format("{}: the path contains a null byte", path.source)};
  }
  const fs::path given(path.value);
  if (path.origin == Origin::file && (!given.is_absolute() || has_parent_step(given))) {
    return Error{ErrorCode::kUsage, fmt::format("{}: \"{}\" is not a full path", path.source, path.value),
                 "write the path in full: it begins with / and has no .. in it"};
  }
  std::error_code failed;
  auto resolved = fs::absolute(given, failed);
  // "a/.." is not always nothing: a may be a symbolic link. Others stay, so that their owners can be checked.
  if (has_parent_step(given)) {
    auto canonical = fs::weakly_canonical(resolved, failed);
    if (!failed) resolved = std::move(canonical);
  }
  resolved = resolved.lexically_normal();
  auto text = resolved.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace pipekit
