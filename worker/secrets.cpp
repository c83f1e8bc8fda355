#include "worker/secrets.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "shared/nearest.h"
#include "shared/unique_fd.h"

namespace pipekit::worker {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFile = size_t{1} << 20U;
constexpr auto kEvery = "*";

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool is_name_character(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

bool is_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, is_name_character);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// NAME of a reference, nothing for any other text.
std::optional<std::string> referenced_name(std::string_view reference) {
  if (!reference.starts_with('$')) return std::nullopt;
  reference.remove_prefix(1);
  if (reference.starts_with('{') && reference.ends_with('}')) reference = reference.substr(1, reference.size() - 2);
  if (!is_name(reference)) return std::nullopt;
  return std::string(reference);
}

// The value behind "NAME=". Within '...' every character stands for itself; elsewhere a backslash quotes the next.
// Nothing when a quote or a backslash is left open, or text follows a closing quote.
std::optional<std::string> parse_value(std::string_view text) {
  const char quote = !text.empty() && (text.front() == '\'' || text.front() == '"') ? text.front() : '\0';
  if (quote != '\0') text.remove_prefix(1);
  std::string value;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (quote != '\0' && c == quote) return text.empty() ? std::optional(std::move(value)) : std::nullopt;
    if (c == '\\' && quote != '\'') {
      if (text.empty()) return std::nullopt;
      value += text.front();
      text.remove_prefix(1);
    } else {
      value += c;
    }
  }
  if (quote != '\0') return std::nullopt;
  return value;
}

Error bad_line(const std::string& file, size_t line, const std::string& what) {
  return {ErrorCode::kUsage, fmt::format("{}:{}: {}", file, line, what), "write NAME=VALUE, one per line"};
}

Error unreadable(const fs::path& file, int error) {
  return {ErrorCode::kUsage, fmt::format("cannot read the secrets file {}: {}", file.string(), std::strerror(error)),
          "check --secrets-file, and that the worker's user may read it"};
}

Result<void> check_file(const fs::path& file, const struct stat& info) {
  if (!S_ISREG(info.st_mode)) {
    return Error{ErrorCode::kRefused, fmt::format("the secrets file {} is not a regular file", file.string())};
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Error{ErrorCode::kRefused,
                 fmt::format("the secrets file {} belongs to another user (uid {})", file.string(), info.st_uid),
                 fmt::format("chown root {}, or the worker's user", file.string())};
  }
  if ((info.st_mode & 0037U) == 0) return {};
  return Error{ErrorCode::kRefused,
               fmt::format("the secrets file {} has mode {:04o}: other users can read or change it", file.string(),
                           info.st_mode & 07777U),
               fmt::format("chmod 0600 {}, or 0640 to let a group read it", file.string())};
}

std::string host_text(const JdbcHost& host) {
  const bool address = host.name.find(':') != std::string::npos && !host.name.starts_with('/');
  const auto name = address ? fmt::format("[{}]", host.name) : host.name;
  return host.port.empty() ? name : fmt::format("{}:{}", name, host.port);
}

}  // namespace

Result<std::map<std::string, std::string>> parse_secrets(std::string_view text, const std::string& file) {
  std::map<std::string, std::string> secrets;
  for (size_t line = 1; !text.empty(); ++line) {
    const auto item = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const auto entry = trimmed(item);
    if (entry.empty() || entry.front() == '#' || entry.front() == ';') continue;
    const auto equals = entry.find('=');
    const auto name = trimmed(entry.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(name)) {
      return bad_line(file, line, "expected a name (letters, digits and _), then = and a value");
    }
    auto value = parse_value(trimmed(entry.substr(equals + 1)));
    if (!value) return bad_line(file, line, fmt::format("the value of {} has a quote or backslash without end", name));
    if (value->find('\0') != std::string::npos) return bad_line(file, line, fmt::format("{} has a NUL byte", name));
    if (!secrets.emplace(name, *std::move(value)).second) {
      return bad_line(file, line, fmt::format("{} is set twice", name));
    }
  }
  return secrets;
}

Result<std::map<std::string, std::string>> read_secrets(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return unreadable(file, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return unreadable(file, errno);
  if (auto checked = check_file(file, info); !checked) return checked.error();
  std::string text;
  std::array<char, 4096> block;
  for (ssize_t size = 1; size > 0;) {
    size = ::read(fd.get(), block.data(), block.size());
    if (size < 0) return unreadable(file, errno);
    text.append(block.data(), static_cast<size_t>(size));
    if (text.size() > kMaxFile) {
      return Error{ErrorCode::kUsage, fmt::format("the secrets file {} is larger than 1 MiB", file.string())};
    }
  }
  return parse_secrets(text, file.string());
}

std::optional<fs::path> default_secrets_file() {
  std::vector<fs::path> candidates;
  if (const auto credentials = environment_variable("CREDENTIALS_DIRECTORY")) {
    candidates.push_back(fs::path(*credentials) / "secrets.env");
  }
  candidates.emplace_back("/etc/pipekit/secrets.env");
  for (auto& candidate : candidates) {
    if (::access(candidate.c_str(), R_OK) == 0) return std::move(candidate);
  }
  return std::nullopt;
}

Result<Secrets> Secrets::make(SecretRules rules, VariableLookup environment) {
  Secrets secrets;
  secrets.rules_ = std::move(rules);
  secrets.environment_ = std::move(environment);
  for (const auto& variable : secrets.rules_.variables) {
    if (variable == kEvery || is_name(variable)) continue;
    return Error{ErrorCode::kUsage, fmt::format("--secret-env {}: expected the name of a variable, or *", variable)};
  }
  for (const auto& rule : secrets.rules_.hosts) {
    if (auto bound = secrets.bind(rule); !bound) return bound.error();
  }
  return secrets;
}

Result<void> Secrets::bind(const std::string& rule) {
  const auto equals = std::min(rule.find('='), rule.size());
  const auto name = rule.substr(0, equals);
  const auto host = parse_host(std::string_view(rule).substr(std::min(equals + 1, rule.size())));
  if (!is_name(name) || !host) {
    return Error{ErrorCode::kUsage, fmt::format("--secret-host {}: expected NAME=HOST or NAME=HOST:PORT", rule),
                 "as WH_PASSWORD=db1.example, WH_PASSWORD=10.0.0.5:5432, WH_PASSWORD=[::1]:5432"};
  }
  if (!rules_.file.contains(name) && !allows(name)) {
    std::vector<std::string> known = rules_.variables;
    for (const auto& [secret, value] : rules_.file) known.push_back(secret);
    return Error{
        ErrorCode::kUsage,
        fmt::format("--secret-host {}: {} is neither in {} nor allowed with --secret-env", rule, name, rules_.origin),
        did_you_mean(name, known)};
  }
  hosts_[name].push_back(*host);
  return {};
}

bool Secrets::allows(const std::string& variable) const {
  const auto& list = rules_.variables;
  return std::ranges::find(list, variable) != list.end() || std::ranges::find(list, kEvery) != list.end();
}

Result<std::string> Secrets::value_of(const std::string& name) const {
  if (const auto found = rules_.file.find(name); found != rules_.file.end()) return found->second;
  if (!allows(name)) {
    return Error{ErrorCode::kRefused,
                 fmt::format("the password variable {} is not allowed on this worker: it is neither in {} nor named "
                             "by --secret-env",
                             name, rules_.origin),
                 fmt::format("on the worker, add a line {0}=... to its secrets file, or start it with --secret-env "
                             "{0} (configuration: secret_env: [{0}])",
                             name)};
  }
  if (auto value = environment_(name)) return *std::move(value);
  return Error{ErrorCode::kUnavailable,
               fmt::format("the password variable {} is missing in the worker's environment", name),
               fmt::format("set {} in the worker's secrets file, or in its environment, and restart the worker", name)};
}

Result<void> Secrets::check_hosts(const std::string& name, std::string_view jdbc_url) const {
  const auto bound = hosts_.find(name);
  if (bound == hosts_.end()) return {};
  const auto refused = [&](const std::string& why) {
    return Error{ErrorCode::kRefused,
                 fmt::format("the password variable {} may only be used for certain hosts, and {}", name, why),
                 fmt::format("the worker's configuration lists the hosts: secret_hosts, {}", name)};
  };
  const auto hosts = jdbc_hosts(jdbc_url);
  if (!hosts) return refused("those of this URL cannot be read with certainty");
  if (hosts->empty()) return refused("this URL names none");
  for (const auto& host : *hosts) {
    const auto matches = [&](const JdbcHost& one) {
      return one.name == host.name && (one.port.empty() || one.port == host.port);
    };
    if (std::ranges::none_of(bound->second, matches)) return refused(host_text(host) + " is not one of them");
  }
  return {};
}

Result<std::string> Secrets::resolve(std::string_view reference, std::string_view jdbc_url) const {
  if (reference.empty()) return std::string{};
  const auto name = referenced_name(reference);
  if (!name) {
    return Error{ErrorCode::kInvalid, "a password is not a reference of the form $NAME",
                 "add a line NAME=... to the worker's secrets file and write password: $NAME"};
  }
  if (auto checked = check_hosts(*name, jdbc_url); !checked) return checked.error();
  return value_of(*name);
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace pipekit::worker
