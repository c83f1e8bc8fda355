#include "broker/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "broker/queries.h"
#include "shared/clock.h"
#include "shared/key_file.h"
#include "shared/name.h"
#include "shared/nearest.h"
#include "shared/planted_fault.h"

namespace pipekit {
namespace {

Error wrong_role(const Client& client, std::string_view what, std::string_view needed) {
  return {ErrorCode::kRefused,
          fmt::format("{} is for {}s; the key {} has the role {}", what, needed, client.name, to_string(*client.role)),
          fmt::format("an operator gives another: pipekit-ctl keys revoke {}, then keys allow", client.name)};
}

std::string text(const Json& args, const char* name) {
  const auto found = args.find(name);
  return found != args.end() && found->is_string() ? found->get<std::string>() : "";
}

// No blank and no parenthesis: nobody is to look like the "uid 0 (root)" of a local client.
bool is_key_name(const std::string& name) {
  return !name.empty() && name.size() <= 100 && !forbidden_in_name(name) &&
         std::ranges::all_of(name, [](unsigned char c) {
           return c >= 0x80 || std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-' || c == '@';
         });
}

}  // namespace

std::optional<Role> role_from(const std::string& word) {
  if (word == "viewer") return Role::viewer;
  if (word == "operator") return Role::op;
  if (word == "worker") return Role::worker;
  return std::nullopt;
}

const char* to_string(Role role) {
  switch (role) {
    case Role::viewer:
      return "viewer";
    case Role::op:
      return "operator";
    case Role::worker:
      return "worker";
  }
  return "";
}

void Access::reload() {
  clients_.clear();
  auto rows = db_.query("SELECT public_key, name, role FROM client_key");
  while (rows.next()) {
    clients_[rows.get<std::string>(0)] = {rows.get<std::string>(1), role_from(rows.get<std::string>(2))};
  }
}

std::optional<Client> Access::client(const std::string& key) const {
  if (key.empty()) return Client{};
  const auto found = clients_.find(key);
  return found == clients_.end() ? std::nullopt : std::optional(found->second);
}

// What a query answers changes nothing; preview and test make a worker read from a database.
bool is_for_viewers(const std::string& verb) { return queries::knows(verb) || verb == "diff" || verb == "why"; }

std::optional<Error> refusal_of_verb(const Client& client, const std::string& verb) {
  if (PLANTED("roles_not_enforced")) return std::nullopt;
  if (client.local() || client.role == Role::op) return std::nullopt;
  if (client.role == Role::viewer && is_for_viewers(verb)) return std::nullopt;
  return wrong_role(client, verb, client.role == Role::viewer ? "operator" : "viewers and operator");
}

std::optional<Error> refusal_of_tail(const Client& client) {
  if (client.local() || client.role != Role::worker) return std::nullopt;
  return wrong_role(client, "the event log", "viewers and operator");
}

std::optional<Error> refusal_of_worker(const Client& client) {
  if (client.local() || client.role == Role::worker) return std::nullopt;
  return wrong_role(client, "this socket", "worker");
}

Result<Json> allow_key(store::Database& db, const Json& args, const std::string& by, WallTime now) {
  const auto name = text(args, "name");
  const auto key = text(args, "public_key");
  const auto role = text(args, "role");
  if (!is_key_name(name)) {
    return Error{ErrorCode::kInvalid,
                 "a key needs a name of 1 to 100 letters, digits and . _ - @: the audit tells by it who did what"};
  }
  if (!is_key(key)) {
    return Error{ErrorCode::kInvalid, fmt::format("\"{}\" is not a public key: it has 40 characters", key),
                 "pipekit-ctl keys show FILE prints the one of a key file"};
  }
  if (!role_from(role)) {
    return Error{ErrorCode::kInvalid, fmt::format("there is no role \"{}\"", role), "viewer, operator or worker"};
  }
  const auto inserted = db.run(
      "INSERT INTO client_key (name, public_key, role, created_at, created_by) VALUES (?, ?, ?, ?, ?)"
      " ON CONFLICT DO NOTHING",
      name, key, role, to_ms(now), by);
  if (inserted == 0) {
    const auto holder =
        db.value<std::string>("SELECT name FROM client_key WHERE name = ? OR public_key = ?", name, key);
    return Error{ErrorCode::kExists, fmt::format("there is already a key {}, or this one under that name", *holder),
                 fmt::format("pipekit-ctl keys revoke {} first", *holder)};
  }
  return Json{{"name", name}, {"public_key", key}, {"role", role}};
}

Result<Json> revoke_key(store::Database& db, const std::string& name) {
  const auto key = db.value<std::string>("SELECT public_key FROM client_key WHERE name = ?", name);
  if (!key) {
    std::vector<std::string> known;
    auto rows = db.query("SELECT name FROM client_key ORDER BY name");
    while (rows.next()) known.push_back(rows.get<std::string>(0));
    return Error{ErrorCode::kNotFound, fmt::format("there is no key \"{}\"", name), did_you_mean(name, known)};
  }
  db.run("DELETE FROM client_key WHERE name = ?", name);
  return Json{{"name", name}, {"public_key", *key}};
}

Json list_keys(store::Database& db) {
  auto list = Json::array();
  auto rows = db.query("SELECT name, role, public_key, created_at, created_by FROM client_key ORDER BY name");
  while (rows.next()) {
    list.push_back({{"name", rows.get<std::string>(0)},
                    {"role", rows.get<std::string>(1)},
                    {"public_key", rows.get<std::string>(2)},
                    {"created_at", to_iso(from_ms(rows.get<int64_t>(3)))},
                    {"created_by", rows.get<std::string>(4)}});
  }
  return list;
}

}  // namespace pipekit
