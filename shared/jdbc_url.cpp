#include "shared/jdbc_url.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/jdbc_parameters.h"
#include "shared/nearest.h"

namespace pipekit {
namespace {

constexpr std::string_view kJdbc = "jdbc:";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), lower);
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The letters and digits of a name, in lower case: "SSL_Password" and "ssl password" are one name to some driver.
std::string folded(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (is_alphanumeric(c)) result += lower(c);
  }
  return result;
}

Error bad(std::string message, std::string hint = {}) {
  return {ErrorCode::kInvalid, std::move(message), std::move(hint)};
}

Error secret(const std::string& what) {
  return bad(fmt::format("contains a secret ({})", what),
             "remove it from the URL and set password: $NAME; the worker reads NAME from its secrets file");
}

struct Split {
  std::string engine;           // in lower case
  std::string_view rest;        // after "jdbc:ENGINE:"
  std::string_view place;       // of rest, what comes before the parameters
  std::string_view parameters;  // of rest, with the character that introduces them
};

std::optional<Split> split(std::string_view url) {
  if (!url.starts_with(kJdbc)) return std::nullopt;
  url.remove_prefix(kJdbc.size());
  const auto name = url.substr(0, url.find(':'));
  const auto in_name = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '+' || c == '.'; };
  if (name.empty() || !std::ranges::all_of(name, in_name)) return std::nullopt;
  Split result{lower_case(name), url.substr(std::min(name.size() + 1, url.size())), {}, {}};
  const auto syntax = jdbc_engine(result.engine).syntax;
  const auto begin = result.rest.find_first_of(syntax == UrlSyntax::file || syntax == UrlSyntax::query ? "?" : "?;");
  result.place = result.rest.substr(0, begin);
  result.parameters = result.rest.substr(result.place.size());
  return result;
}

// Words that are the whole name of a secret, and words that make a secret of every name that contains them.
constexpr auto kSecretNames = std::to_array<std::string_view>(
    {"pass", "pw", "key", "hexkey", "textkey", "rawkey", "pin", "sas", "sig", "signature", "bearer", "jwt"});
constexpr auto kSecretParts = std::to_array<std::string_view>(
    {"password", "passwd", "passwort", "passphrase", "pwd", "secret", "token", "credential", "apikey", "privatekey",
     "pvtkey", "accesskey", "authkey", "sessionkey", "accountkey", "encryptionkey", "cipherkey"});

bool is_secret(std::string_view name) {
  const auto word = folded(name);
  const auto contained = [&](std::string_view part) { return word.find(part) != std::string::npos; };
  return std::ranges::find(kSecretNames, word) != kSecretNames.end() || word.ends_with("pass") ||
         std::ranges::any_of(kSecretParts, contained);
}

// "NAME=" anywhere between the characters with which any driver separates parameters.
bool has_secret(std::string_view text) {
  constexpr std::string_view kSeparators = "?&;:,(){}|'\"\t\n";
  while (!text.empty()) {
    const auto item = text.substr(0, text.find_first_of(kSeparators));
    const auto equals = item.find('=');
    if (equals != std::string_view::npos && is_secret(item.substr(0, equals))) return true;
    text.remove_prefix(std::min(item.size() + 1, text.size()));
  }
  return false;
}

// Encoded once or twice, whatever this driver decodes: what looks like a secret to anybody is refused.
bool has_secret_in_any_spelling(std::string_view text) {
  std::string decoded(text);
  for (int i = 0; i < 3; ++i) {
    if (has_secret(decoded)) return true;
    std::string next;
    for (size_t at = 0; at < decoded.size(); ++at) {
      const auto one = decoded[at] == '%' ? percent_decoded(std::string_view(decoded).substr(at, 3), false)
                                          : std::optional<std::string>();
      next += one ? *one : std::string(1, decoded[at]);
      if (one) at += 2;
    }
    if (next == decoded) return false;
    decoded = std::move(next);
  }
  return false;
}

bool has_at_sign(std::string_view text) {
  return text.find('@') != std::string_view::npos || text.find("%40") != std::string_view::npos;
}

// A user name or a password before the host: "//scott:tiger@host", "thin:scott/tiger@host".
bool has_login(const Split& url, UrlSyntax syntax) {
  if (syntax == UrlSyntax::file) return false;
  auto place = url.place;
  if (syntax == UrlSyntax::oracle) {
    const auto colon = std::min(place.find(':'), place.size());
    place.remove_prefix(std::min(colon + 1, place.size()));
    if (!place.starts_with('@')) return true;
    place.remove_prefix(1);
  }
  return has_at_sign(place);
}

// "thin:@ldap://...": the driver would ask JNDI.
bool asks_a_directory(std::string_view place) {
  const auto scheme = place.find("://");
  if (scheme == std::string_view::npos) return false;
  const auto before = lower_case(place.substr(0, scheme));
  return !before.ends_with("@tcp") && !before.ends_with("@tcps");
}

// What is before the first "=" of each parameter; of one without "=" all of it.
std::vector<std::string_view> names_in(const Split& url, UrlSyntax syntax) {
  std::vector<std::string_view> names;
  const auto collect = [&](std::string_view text, std::string_view separators, bool also_bare) {
    while (!text.empty()) {
      const auto item = text.substr(0, text.find_first_of(separators));
      text.remove_prefix(std::min(item.size() + 1, text.size()));
      const auto equals = item.find('=');
      const auto name = trimmed(item.substr(0, equals));
      if (equals != std::string_view::npos || (also_bare && !name.empty())) names.push_back(name);
    }
  };
  if (syntax == UrlSyntax::file || syntax == UrlSyntax::query) {
    collect(url.parameters.substr(url.parameters.empty() ? 0 : 1), "&", true);
  } else {
    collect(url.parameters, "?;&", true);
  }
  // DB2 has them after a colon, some drivers in parentheses in place of a host.
  if (syntax != UrlSyntax::file) collect(url.place, syntax == UrlSyntax::colon ? "(),:" : "(),", false);
  return names;
}

bool is_allowed(std::string_view name, const JdbcEngine& engine, std::span<const std::string> allowed) {
  const auto same = [&](std::string_view other) {
    return engine.same == SameName::exact ? name == other : folded(name) == folded(other);
  };
  return std::ranges::any_of(engine.parameters, same) || std::ranges::any_of(allowed, same);
}

Error not_allowed(std::string_view name, const JdbcEngine& engine, std::span<const std::string> allowed) {
  const auto plain = [](char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.' || c == ' '; };
  // A text that is no name may be a part of something secret.
  if (name.empty() || name.size() > 60 || !std::ranges::all_of(name, plain)) {
    return bad("has a parameter whose name cannot be read", "write NAME=VALUE, without other characters in NAME");
  }
  std::vector<std::string> known(engine.parameters.begin(), engine.parameters.end());
  known.insert(known.end(), allowed.begin(), allowed.end());
  const auto near = nearest(name, known);
  return bad(fmt::format("has the parameter {}, which is not allowed", name),
             near ? fmt::format("did you mean {}?", *near) : "");
}

// Of the two engines that pipekit-jrunner speaks, values that would make libpq or a driver load code.
Result<void> check_postgresql_values(std::string_view parameters) {
  while (!parameters.empty()) {
    parameters.remove_prefix(1);
    const auto item = parameters.substr(0, parameters.find('&'));
    parameters.remove_prefix(item.size());
    const auto equals = std::min(item.find('='), item.size());
    const auto name = item.substr(0, equals);
    const auto value = percent_decoded(item.substr(std::min(equals + 1, item.size())), true);
    if (!value) return bad("has a % that is not followed by two hexadecimal digits");
    const bool file = name == "sslkey" || name == "sslcert" || name == "sslrootcert";
    // "engine:key" makes libpq load that engine, a shared library.
    if (file && (!value->starts_with('/') || value->find(':') != std::string::npos)) {
      return bad(fmt::format("has the parameter {} with a value that is not the path of a file", name),
                 "write the full path, without a colon");
    }
    constexpr auto kFactories = std::to_array<std::string_view>(
        {"org.postgresql.ssl.NonValidatingFactory", "org.postgresql.ssl.DefaultJavaSSLFactory",
         "org.postgresql.ssl.LibPQFactory", "org.postgresql.ssl.jdbc4.LibPQFactory"});
    if (name == "sslfactory" && std::ranges::find(kFactories, *value) == kFactories.end()) {
      return bad("has the parameter sslfactory with a class that is not allowed",
                 fmt::format("use sslmode, or {}", kFactories.front()));
    }
  }
  return {};
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::optional<std::string> ipv6(std::string_view text) {
  in6_addr address{};
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  if (::inet_pton(AF_INET6, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ::inet_ntop(AF_INET6, &address, canonical.data(), canonical.size());
}

// "host:port,host:port"; `encoded`: a host may be percent-encoded, as the directory of a socket has to be.
std::optional<std::vector<JdbcHost>> parse_hosts(std::string_view text, std::string_view port, bool encoded) {
  std::vector<JdbcHost> hosts;
  for (;;) {
    const auto item = text.substr(0, text.find(','));
    std::optional<JdbcHost> host;
    if (item.empty() && encoded) {
      host = JdbcHost{"localhost", ""};
    } else if (encoded && item.starts_with("%2")) {
      const auto colon = std::min(item.find(':'), item.size());
      const auto path = percent_decoded(item.substr(0, colon), false);
      if (path && path->starts_with('/')) host = parse_host(*path);
      const auto of_any_host = parse_host("x" + std::string(item.substr(colon)));
      if (!of_any_host) return std::nullopt;
      if (host) host->port = of_any_host->port;
    } else if (encoded && item.starts_with(':')) {
      host = parse_host("localhost" + std::string(item));
    } else if (!item.starts_with('/')) {
      host = parse_host(item);
    }
    if (!host) return std::nullopt;
    if (host->port.empty()) host->port = port;
    hosts.push_back(*std::move(host));
    if (item.size() == text.size()) return hosts;
    text.remove_prefix(item.size() + 1);
  }
}

Error unreadable_hosts() {
  return bad("has hosts that cannot be read", "write //HOST:PORT, several separated by commas");
}

Result<std::vector<JdbcHost>> oracle_hosts(std::string_view place) {
  place.remove_prefix(std::min(place.find('@') + 1, place.size()));
  if (place.starts_with("tcp://")) place.remove_prefix(4);
  if (place.starts_with("tcps://")) place.remove_prefix(5);
  const bool slashes = place.starts_with("//");
  if (slashes) place.remove_prefix(2);
  auto host = place.substr(0, place.find('/'));
  // host:port:sid. A name alone is looked up in tnsnames.ora.
  if (!slashes && host.size() == place.size() && !host.starts_with('[')) {
    const auto port = std::min(host.find(':'), host.size());
    const auto sid = host.find(':', std::min(port + 1, host.size()));
    if (port == host.size() || sid == std::string_view::npos) return unreadable_hosts();
    host = host.substr(0, sid);
  }
  auto hosts = parse_hosts(host, "1521", false);
  if (!hosts) return unreadable_hosts();
  return *std::move(hosts);
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0 || high * 16 + low == 0) return std::nullopt;
      result += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      result += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

std::string jdbc_scheme(std::string_view url) {
  const auto parts = split(url);
  return parts ? fmt::format("jdbc:{}:", parts->engine) : std::string(kJdbc);
}

std::optional<JdbcHost> parse_host(std::string_view text) {
  std::string_view name = text;
  std::string_view port;
  if (text.starts_with('/')) {
    const auto in_path = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != ',' && c != 0x7F; };
    if (!std::ranges::all_of(text, in_path)) return std::nullopt;
    return JdbcHost{std::string(text), ""};
  }
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    name = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!port.empty() && !port.starts_with(':')) return std::nullopt;
  } else {
    name = text.substr(0, text.find(':'));
    port = text.substr(name.size());
  }
  if (!port.empty()) port.remove_prefix(1);
  if (!std::ranges::all_of(port, is_digit) || port.size() > 5) return std::nullopt;
  std::string host;
  if (text.starts_with('[')) {
    const auto address = ipv6(name);
    if (!address) return std::nullopt;
    host = *address;
  } else {
    host = lower_case(name);
    if (host.ends_with('.')) host.pop_back();
    const auto in_name = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; };
    if (host.empty() || host.size() > 253 || !std::ranges::all_of(host, in_name)) return std::nullopt;
  }
  return JdbcHost{std::move(host), std::string(port)};
}

Result<void> check_jdbc_url(std::string_view url, std::span<const std::string> allowed) {
  const auto parts = split(url);
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (!parts) {
    if (has_secret_in_any_spelling(url)) return secret("a parameter");
    return bad("must begin with jdbc: and the name of a driver",
               "jdbc:sqlite:/data/erp.db, jdbc:postgresql://host:5432/database");
  }
  if (has_secret_in_any_spelling(parts->rest)) return secret("a parameter");
  const auto& engine = jdbc_engine(parts->engine);
  if (has_login(*parts, engine.syntax)) return secret("a user name or a password before @");
  if (std::ranges::any_of(url, control)) return bad("has a control character");
  if (engine.syntax == UrlSyntax::oracle && asks_a_directory(parts->place)) {
    return bad("names a directory service, which is not allowed", "write thin:@//HOST:PORT/SERVICE");
  }
  for (const auto name : names_in(*parts, engine.syntax)) {
    if (is_secret(name)) return secret("a parameter");
    if (!is_allowed(name, engine, allowed)) return not_allowed(name, engine, allowed);
  }
  if (parts->engine == "postgresql") return check_postgresql_values(parts->parameters);
  return {};
}

std::vector<std::string> jdbc_parameters(std::string_view url) {
  const auto parts = split(url);
  if (!parts) return {};
  const auto names = names_in(*parts, jdbc_engine(parts->engine).syntax);
  return {names.begin(), names.end()};
}

Result<std::vector<JdbcHost>> jdbc_hosts(std::string_view url) {
  const auto parts = split(url);
  if (!parts) return unreadable_hosts();
  const auto& engine = jdbc_engine(parts->engine);
  if (engine.syntax == UrlSyntax::file) return std::vector<JdbcHost>{};
  if (engine.syntax == UrlSyntax::oracle) return oracle_hosts(parts->place);
  const bool postgresql = parts->engine == "postgresql";
  auto place = parts->place;
  const auto slashes = place.find("//");
  if (postgresql && slashes != 0) return std::vector{JdbcHost{"localhost", std::string(engine.port)}};
  // "jdbc:mysql:loadbalance://": words of a mode, which are no host.
  const auto in_mode = [](char c) { return is_alphanumeric(c) || c == ':'; };
  if (slashes == std::string_view::npos || !std::ranges::all_of(place.substr(0, slashes), in_mode)) {
    return unreadable_hosts();
  }
  place.remove_prefix(slashes + 2);
  place = place.substr(0, place.find('/'));
  // The port of a named instance is known to that host alone.
  const bool instance = parts->engine == "sqlserver" && place.find('\\') != std::string_view::npos;
  auto hosts = instance ? parse_hosts(place.substr(0, place.find('\\')), "", false)
                        : parse_hosts(place, engine.port, postgresql);
  if (!hosts) return unreadable_hosts();
  return *std::move(hosts);
}

}  // namespace pipekit
