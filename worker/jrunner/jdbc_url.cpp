#include "worker/jrunner/jdbc_url.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <optional>

#include "shared/jdbc_url.h"

namespace pipekit::jrunner {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kSqlitePrefix = "jdbc:sqlite:";
constexpr int kMostAttached = 10;  // SQLite's own bound
constexpr std::string_view kPostgresPrefix = "jdbc:postgresql:";

// SQLite driver parameters that are session pragmas. busy_timeout is not among them: this program always waits.
constexpr std::array kPragmas{"foreign_keys", "recursive_triggers", "synchronous", "journal_mode",
                              "cache_size",   "temp_store",         "mmap_size",   "secure_delete"};

// The PostgreSQL driver's parameters, and libpq's own, under libpq's names. Values need no translation here.
const std::map<std::string, std::string, std::less<>> kPostgresKeywords{
    {"user", "user"},
    {"sslmode", "sslmode"},
    {"sslrootcert", "sslrootcert"},
    {"sslcert", "sslcert"},
    {"sslkey", "sslkey"},
    {"ApplicationName", "application_name"},
    {"application_name", "application_name"},
    {"connectTimeout", "connect_timeout"},
    {"connect_timeout", "connect_timeout"},
    {"options", "options"},
    {"gssEncMode", "gssencmode"},
    {"channelBinding", "channel_binding"},
    {"channel_binding", "channel_binding"},
    {"krbsrvname", "krbsrvname"},
    {"kerberosServerName", "krbsrvname"},
    {"target_session_attrs", "target_session_attrs"},
    {"keepalives", "keepalives"},
    {"keepalives_idle", "keepalives_idle"},
    {"keepalives_interval", "keepalives_interval"},
    {"keepalives_count", "keepalives_count"},
    {"tcp_user_timeout", "tcp_user_timeout"},
    {"ssl_min_protocol_version", "ssl_min_protocol_version"},
    {"ssl_max_protocol_version", "ssl_max_protocol_version"},
};

// The URL itself is not shown: it may contain a password that nobody found in it.
Error wrong(std::string_view url, const std::string& what, const std::string& hint = {}) {
  return {ErrorCode::kUsage, "the URL " + jdbc_scheme(url) + "... " + what,
          hint.empty() ? "jdbc:sqlite:PATH or jdbc:postgresql://HOST:PORT/DATABASE?NAME=VALUE&..." : hint};
}

std::optional<Parameters> parse_parameters(std::string_view text, bool plus_is_space) {
  Parameters result;
  while (!text.empty()) {
    const auto item = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    if (item.empty()) continue;
    const auto equals = std::min(item.find('='), item.size());
    auto value = percent_decoded(item.substr(std::min(equals + 1, item.size())), plus_is_space);
    if (!value) return std::nullopt;
    result.emplace_back(item.substr(0, equals), *std::move(value));
  }
  return result;
}

bool plain_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
  });
}

Result<DatabaseTarget> parse_sqlite(std::string_view url) {
  const auto rest = url.substr(kSqlitePrefix.size());
  const auto question = std::min(rest.find('?'), rest.size());
  const auto path = rest.substr(0, question);
  const auto parameters = parse_parameters(rest.substr(std::min(question + 1, rest.size())), false);
  if (path.empty()) return wrong(url, "names no file");
  if (!parameters) return wrong(url, "has a % that is not followed by two hexadecimal digits");
  if (path.starts_with('~') || path.starts_with("file:~")) {
    auto error = wrong(url, "begins with ~, which only a shell expands");
    error.hint = "write the path in full";
    return error;
  }
  SqliteTarget target{std::string(path), path.starts_with("file:"), std::string(path)};
  if (path == ":memory:") target.file.clear();
  std::string uri_query;
  for (const auto& [name, value] : *parameters) {
    if (std::ranges::find(kPragmas, name) != kPragmas.end()) {
      if (!plain_word(value)) return wrong(url, "has a value of " + name + " that is not a word");
      target.pragmas.emplace_back(name, value);
    } else if (name == "mode" || name == "cache" || name == "immutable") {
      if (!target.uri) return wrong(url, "has the parameter " + name + ", which needs a URI: jdbc:sqlite:file:PATH");
      if (!plain_word(value)) return wrong(url, "has a value of " + name + " that is not a word");
      uri_query += (uri_query.empty() ? "?" : "&") + name + "=" + value;
      if (name == "mode" && value == "memory") target.file.clear();
      if (name == "immutable") target.immutable = value != "0" && value != "false" && value != "no" && value != "off";
    } else if (name == "limit_attached") {
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), target.attach);
      const bool whole = parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size();
      if (!whole || target.attach < 0 || target.attach > kMostAttached) {
        return wrong(url, "has a limit_attached that is not a number from 0 to 10");
      }
    }
  }
  if (target.uri) {
    auto file = target.file.empty() ? std::string_view{} : path.substr(5);
    if (file.starts_with("//")) {
      file.remove_prefix(2);
      file.remove_prefix(std::min(file.find('/'), file.size()));  // the authority: empty or "localhost"
    }
    const auto decoded = percent_decoded(file, false);
    if (!decoded) return wrong(url, "has a % that is not followed by two hexadecimal digits");
    target.file = *decoded == ":memory:" ? "" : *decoded;
    target.path += uri_query;
  }
  return DatabaseTarget{std::move(target)};
}

// As libpq takes several: "h1,h2" and "1,5432".
void add_hosts(const std::vector<JdbcHost>& hosts, PostgresTarget& target) {
  std::string names;
  std::string ports;
  for (const auto& host : hosts) {
    names += (names.empty() ? "" : ",") + host.name;
    ports += (ports.empty() ? "" : ",") + host.port;
  }
  target.keywords.emplace_back("host", names);
  target.keywords.emplace_back("port", ports);
}

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string session_attributes(const std::string& server_type) {
  if (server_type == "primary" || server_type == "master") return "read-write";
  if (server_type == "secondary" || server_type == "slave") return "standby";
  if (server_type.starts_with("prefer")) return "prefer-standby";
  return "any";
}

// For the Java driver `ssl=true` alone means verify-full, unless its factory is the one that checks nothing.
void add_ssl(const Parameters& parameters, PostgresTarget& target) {
  bool ssl = false;
  bool checked = true;
  for (const auto& [name, value] : parameters) {
    if (name == "ssl") ssl = value.empty() || value == "true";
    if (name == "sslfactory" && value.ends_with("NonValidatingFactory")) checked = false;
  }
  if (ssl) target.keywords.emplace_back("sslmode", checked ? "verify-full" : "require");
}

void add_parameters(const Parameters& parameters, PostgresTarget& target) {
  add_ssl(parameters, target);
  for (const auto& [name, value] : parameters) {
    const auto keyword = kPostgresKeywords.find(name);
    if (keyword != kPostgresKeywords.end()) target.keywords.emplace_back(keyword->second, value);
    if (name == "currentSchema") target.search_path = value;
    if (name == "targetServerType") target.keywords.emplace_back("target_session_attrs", session_attributes(value));
    if (name == "tcpKeepAlive") target.keywords.emplace_back("keepalives", value == "false" ? "0" : "1");
    if (name == "options" && lower_case(value).find("timezone") != std::string::npos) target.time_zone_chosen = true;
  }
}

// "//host:port/database", "//host/", "//host", "database", "/" and "".
Result<DatabaseTarget> parse_postgres(std::string_view url) {
  auto rest = url.substr(kPostgresPrefix.size());
  const auto question = std::min(rest.find('?'), rest.size());
  const auto parameters = parse_parameters(rest.substr(std::min(question + 1, rest.size())), true);
  if (!parameters) return wrong(url, "has a % that is not followed by two hexadecimal digits");
  rest = rest.substr(0, question);
  const auto hosts = jdbc_hosts(url);
  if (!hosts) return wrong(url, "has a host or port that cannot be read");
  if (rest.starts_with("//")) rest.remove_prefix(std::min(rest.find('/', 2), rest.size()));
  if (rest.starts_with('/')) rest.remove_prefix(1);
  PostgresTarget target;
  add_hosts(*hosts, target);
  const auto database = percent_decoded(rest, false);
  if (!database) return wrong(url, "has a % that is not followed by two hexadecimal digits");
  if (!database->empty()) target.keywords.emplace_back("dbname", *database);
  add_parameters(*parameters, target);
  return DatabaseTarget{std::move(target)};
}

}  // namespace

std::string PostgresTarget::keyword(std::string_view name) const {
  std::string result;
  for (const auto& [key, value] : keywords) {
    if (key == name) result = value;
  }
  return result;
}

Result<DatabaseTarget> parse_jdbc_url(std::string_view url) {
  if (url.find('\0') != std::string_view::npos) return wrong("", "holds a NUL byte");
  const auto scheme = jdbc_scheme(url);
  if (scheme != kSqlitePrefix && scheme != kPostgresPrefix) {
    return wrong(
        url, "names a database that pipekit-jrunner does not support: it reads jdbc:sqlite: and jdbc:postgresql: only");
  }
  if (const auto checked = check_jdbc_url(url); !checked)
    return wrong(url, checked.error().message, checked.error().hint);
  return scheme == kSqlitePrefix ? parse_sqlite(url) : parse_postgres(url);
}

}  // namespace pipekit::jrunner
