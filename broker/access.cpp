#include "broker/access.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
          fmt::format("an operator can change the role: pipekit-ctl keys revoke {}, then keys allow", client.name)};
}

std::string text(const Json& args, const char* name) {
  const auto found = args.find(name);
  return found != args.end() && found->is_string() ? found->get<std::string>() : "";
}

constexpr size_t kMostClaims = 100;
constexpr size_t kMostLabel = 200;
constexpr int64_t kMostSlots = 10'000;

std::optional<std::vector<std::string>> labels_from(const std::optional<std::string>& json) {
  if (!json) return std::nullopt;
  return Json::parse(*json).get<std::vector<std::string>>();
}

// Of an argument: nullopt when it is not there.
Result<std::optional<std::string>> labels_in(const Json& args, const char* name) {
  const auto found = args.find(name);
  if (found == args.end() || found->is_null()) return std::optional<std::string>();
  const auto is_label = [](const Json& item) {
    return item.is_string() && !item.get_ref<const std::string&>().empty() &&
           item.get_ref<const std::string&>().size() <= kMostLabel;
  };
  if (!found->is_array() || found->size() > kMostClaims || !std::ranges::all_of(*found, is_label)) {
    return Error{ErrorCode::kInvalid, fmt::format("{}: expected a list of at most {} texts of 1 to {} bytes", name,
                                                  kMostClaims, kMostLabel)};
  }
  return std::optional(found->dump());
}

Result<std::optional<int64_t>> slots_in(const Json& args) {
  const auto found = args.find("slots");
  if (found == args.end() || found->is_null()) return std::optional<int64_t>();
  if (found->is_number_integer() && found->get<int64_t>() >= 1 && found->get<int64_t>() <= kMostSlots) {
    return std::optional(found->get<int64_t>());
  }
  return Error{ErrorCode::kInvalid, fmt::format("slots: expected a number from 1 to {}", kMostSlots)};
}

Json json_of(const std::optional<std::string>& labels) { return labels ? Json::parse(*labels) : Json(); }

bool covers(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::any_of(names, [&](const std::string& allowed) {
    return allowed.ends_with('*') ? name.starts_with(allowed.substr(0, allowed.size() - 1)) : name == allowed;
  });
}

Error beyond_claims(const Client& client, const std::string& what, const std::string& allowed) {
  return {
      ErrorCode::kRefused, fmt::format("the key {} may not {}; it may {}", client.name, what, allowed),
      fmt::format("an operator can change that: pipekit-ctl keys revoke {}, then keys allow with --names, --tags and"
                  " --slots",
                  client.name)};
}

// No blank and no parenthesis: a key must not look like the "uid 0 (root)" of a local client.
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
  auto rows = db_.query("SELECT public_key, name, role, names, tags, slots FROM client_key");
  while (rows.next()) {
    Claims claims{labels_from(rows.get<std::optional<std::string>>(3)),
                  labels_from(rows.get<std::optional<std::string>>(4)), rows.get<std::optional<int64_t>>(5)};
    clients_[rows.get<std::string>(0)] = {rows.get<std::string>(1), role_from(rows.get<std::string>(2)),
                                          std::move(claims)};
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

std::optional<Error> refusal_of_claims(const Client& client, const Hello& hello) {
  const auto& [names, tags, slots] = client.claims;
  if (names && !covers(*names, hello.name)) {
    return beyond_claims(client, fmt::format("use the worker name {}", hello.name),
                         fmt::format("use {}", fmt::join(*names, ", ")));
  }
  if (slots && hello.slots > *slots) {
    return beyond_claims(client, fmt::format("have {} slots", hello.slots), fmt::format("have {}", *slots));
  }
  if (!tags) return std::nullopt;
  for (const auto& tag : hello.tags) {
    if (std::ranges::find(*tags, tag) != tags->end()) continue;
    return beyond_claims(client, fmt::format("claim the tag {}", tag),
                         tags->empty() ? "claim none" : fmt::format("claim {}", fmt::join(*tags, ", ")));
  }
  return std::nullopt;
}

Result<Json> allow_key(store::Database& db, const Json& args, const std::string& by, WallTime now) {
  const auto name = text(args, "name");
  const auto key = text(args, "public_key");
  const auto role = text(args, "role");
  if (!is_key_name(name)) {
    return Error{ErrorCode::kInvalid, "a key needs a name of 1 to 100 letters, digits and . _ - @; the audit shows it"};
  }
  if (!is_key(key)) {
    return Error{ErrorCode::kInvalid, fmt::format("\"{}\" is not a public key: it has 40 characters", key),
                 "pipekit-ctl keys show FILE prints the one of a key file"};
  }
  if (!role_from(role)) {
    return Error{ErrorCode::kInvalid, fmt::format("there is no role \"{}\"", role), "viewer, operator or worker"};
  }
  const auto names = labels_in(args, "names");
  if (!names) return names.error();
  const auto tags = labels_in(args, "tags");
  if (!tags) return tags.error();
  const auto slots = slots_in(args);
  if (!slots) return slots.error();
  if (role != "worker" && (*names || *tags || *slots)) {
    return Error{ErrorCode::kInvalid,
                 fmt::format("names, tags and slots are for workers' keys, not for the role {}", role)};
  }
  const auto inserted = db.run(
      "INSERT INTO client_key (name, public_key, role, created_at, created_by, names, tags, slots)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      name, key, role, to_ms(now), by, *names, *tags, *slots);
  if (inserted == 0) {
    const auto holder =
        db.value<std::string>("SELECT name FROM client_key WHERE name = ? OR public_key = ?", name, key);
    return Error{ErrorCode::kExists, fmt::format("there is already a key {}, or this one under that name", *holder),
                 fmt::format("pipekit-ctl keys revoke {} first", *holder)};
  }
  return Json{{"name", name},           {"public_key", key},
              {"role", role},           {"names", json_of(*names)},
              {"tags", json_of(*tags)}, {"slots", *slots ? Json(**slots) : Json()}};
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
  auto rows = db.query(
      "SELECT name, role, public_key, created_at, created_by, names, tags, slots FROM client_key ORDER BY name");
  while (rows.next()) {
    list.push_back({{"name", rows.get<std::string>(0)},
                    {"role", rows.get<std::string>(1)},
                    {"public_key", rows.get<std::string>(2)},
                    {"created_at", to_iso(from_ms(rows.get<int64_t>(3)))},
                    {"created_by", rows.get<std::string>(4)},
                    {"names", json_of(rows.get<std::optional<std::string>>(5))},
                    {"tags", json_of(rows.get<std::optional<std::string>>(6))},
                    {"slots", rows.is_null(7) ? Json() : Json(rows.get<int64_t>(7))}});
  }
  return list;
}

}  // namespace pipekit
