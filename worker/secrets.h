// Passwords are references, "$NAME" or "${NAME}", that are resolved here and nowhere else. NAME is a line of the
// secrets file, or an environment variable that the worker's owner allowed; no other variable can be named, because
// whoever defines a connection chooses the server that receives the value. A secret can be bound to hosts.
//
// Immutable, so any thread may use it. No message contains a value, nor a text that was meant as a reference and is
// none.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"
#include "shared/jdbc_url.h"

namespace pipekit::worker {

using VariableLookup = std::function<std::optional<std::string>(const std::string& name)>;

// NAME=VALUE a line, as systemd reads an EnvironmentFile: lines of # and ; are comments, a value may be quoted. kUsage
// names the line and never repeats it.
Result<std::map<std::string, std::string>> parse_secrets(std::string_view text, const std::string& file);

// kRefused unless the file belongs to this user or root, and others can neither read nor change it (0600, 0640 or
// less). kUsage when it cannot be read.
Result<std::map<std::string, std::string>> read_secrets(const std::filesystem::path& file);

// What the worker reads without --secrets-file: the credential that systemd loaded, else /etc/pipekit/secrets.env.
// Nothing when there is no such file, or this user may not read it.
std::optional<std::filesystem::path> default_secrets_file();

struct SecretRules {
  std::map<std::string, std::string> file{};  // of the secrets file
  std::vector<std::string> variables{};       // of the environment; "*" allows every one
  std::vector<std::string> hosts{};           // "NAME=HOST" or "NAME=HOST:PORT"; a secret may have several
  std::string origin = "the secrets file";    // for messages: the file's path
};

class Secrets {
 public:
  // Only empty references can be resolved.
  Secrets() = default;
  // kUsage for a rule that cannot be read, or binds a name that is in neither list: it would bind nothing.
  static Result<Secrets> make(SecretRules rules, VariableLookup environment);

  // The value of a connection's password. An empty reference is an empty password. kInvalid for a text that is no
  // reference; kRefused for a name that is not allowed, or not for every host of the URL; kUnavailable for an allowed
  // variable that is not set.
  [[nodiscard]] Result<std::string> resolve(std::string_view reference, std::string_view jdbc_url) const;

  [[nodiscard]] size_t bound() const { return hosts_.size(); }

 private:
  [[nodiscard]] Result<std::string> value_of(const std::string& name) const;
  [[nodiscard]] Result<void> check_hosts(const std::string& name, std::string_view jdbc_url) const;
  [[nodiscard]] bool allows(const std::string& variable) const;
  Result<void> bind(const std::string& rule);

  SecretRules rules_;
  VariableLookup environment_;
  std::map<std::string, std::vector<JdbcHost>> hosts_;
};

// This process's environment.
std::optional<std::string> environment_variable(const std::string& name);

}  // namespace pipekit::worker
