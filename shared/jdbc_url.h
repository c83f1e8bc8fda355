// What a JDBC URL may contain, for every driver, and which hosts it leads to. The broker checks a connection with this
// when it is defined, the worker before it uses one, pipekit-jrunner when it is called. Pure.
//
// A URL may contain the parameters that Pipekit knows to be harmless for its driver, and those in `allowed`. Others can
// load classes, read and write files or connect to other hosts. Secrets are refused in every spelling. No message
// repeats a value, or anything else that could be a secret.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"

namespace pipekit {

struct JdbcHost {
  std::string name;  // in lower case, without brackets; the path of a socket's directory begins with a slash
  std::string port;  // as in the URL, else the driver's own; empty where that is not known
  bool operator==(const JdbcHost&) const = default;
};

// kInvalid; the message continues a sentence that begins with the URL: "contains a secret: ...".
Result<void> check_jdbc_url(std::string_view url, std::span<const std::string> allowed = {});

// The names of a URL's parameters, as they are written.
std::vector<std::string> jdbc_parameters(std::string_view url);

// The hosts that the driver may connect to; none for a database in a file. kInvalid if they cannot be read from the
// URL with certainty. Only for a URL that check_jdbc_url accepts: others may have parameters that name further hosts.
Result<std::vector<JdbcHost>> jdbc_hosts(std::string_view url);

// "db.example", "db.example:5432", "[::1]:5432", "/run/postgresql": nothing for any other text. The port may be empty.
std::optional<JdbcHost> parse_host(std::string_view text);

// "jdbc:oracle:", for messages. Of a text that is no JDBC URL "jdbc:".
std::string jdbc_scheme(std::string_view url);

// Nothing when a % is not followed by two hexadecimal digits, or stands for a NUL byte, which would cut the text short.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace pipekit
