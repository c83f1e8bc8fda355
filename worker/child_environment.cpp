#include "worker/child_environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace pipekit::worker {
namespace {

constexpr auto kNeeded = std::to_array<std::string_view>({
  "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TZDIR", "TMPDIR", "JAVA_HOME", "SSL_CERT_FILE",
      "SSL_CERT_DIR",
#ifdef PIPEKIT_FAILPOINTS
      "PIPEKIT_FAILPOINT",
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
      "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS",
#endif
});

// libpq and the Java driver would take a password from ~/.pgpass for any host that a connection names.
constexpr std::pair<std::string_view, std::string_view> kNoPasswordFile{"PGPASSFILE", "/nonexistent"};
constexpr std::pair<std::string_view, std::string_view> kPath{"PATH", "/usr/local/bin:/usr/bin:/bin"};

bool matches(std::string_view name, std::string_view pattern) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return name == pattern;
}

bool is_pattern(std::string_view text) {
  if (text.ends_with('*')) text.remove_suffix(1);
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return std::ranges::all_of(text, fits);
}

}  // namespace

Result<Variables> child_environment(const std::vector<std::string>& more, const Variables& own) {
  for (const auto& pattern : more) {
    if (!pattern.empty() && is_pattern(pattern)) continue;
    return Error{ErrorCode::kUsage, fmt::format("--child-env {}: expected the name of a variable", pattern),
                 "write NAME, or PREFIX* for every variable whose name begins with PREFIX"};
  }
  Variables result;
  for (const auto& [name, value] : own) {
    const auto wanted = [&, n = std::string_view(name)](std::string_view pattern) { return matches(n, pattern); };
    if (std::ranges::any_of(kNeeded, wanted) || std::ranges::any_of(more, wanted)) result.emplace_back(name, value);
  }
  for (const auto& [name, value] : {kNoPasswordFile, kPath}) {
    if (std::ranges::find(result, name, &Variables::value_type::first) == result.end()) {
      result.emplace_back(name, value);
    }
  }
  return result;
}

Variables own_environment() {
  Variables result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0) {
      result.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return result;
}

}  // namespace pipekit::worker
