// keys new, show, allow, revoke, list; audit list.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/context.h"
#include "ctl/human.h"
#include "ctl/verbs_parts.h"
#include "shared/key_file.h"

namespace pipekit::ctl {
namespace {

Result<int> print_public_key(Context& context, const std::string& key) {
  if (!context.for_people()) {
    context.print_object({"public_key"}, {{"public_key", key}});
  } else {
    context.out.write(key + "\n");
  }
  return 0;
}

// On this host, not at the broker: a secret key is never sent.
Result<int> make_key(Context& context, const Arguments& args) {
  const auto pair = new_key_pair();
  if (auto written = write_key_file(args.text("FILE"), pair); !written) return written.error();
  context.notice(fmt::format("wrote the secret key to {}; this is the public key:", args.text("FILE")));
  return print_public_key(context, pair.public_key);
}

Result<int> show_key(Context& context, const Arguments& args) {
  const auto pair = read_key_file(args.text("FILE"));
  if (!pair) return pair.error();
  return print_public_key(context, pair->public_key);
}

std::string words(const Json& key, const char* name, const char* what) {
  const auto found = key.find(name);
  if (found == key.end() || found->is_null()) return std::string("any ") + what;
  std::string text;
  for (const auto& item : *found) text += (text.empty() ? "" : ",") + item.get<std::string>();
  return std::string(what) + (text.empty() ? " none" : " " + text);
}

// What a worker's key may claim.
std::string claims_of(const Json& key) {
  const auto slots = integer_in(key, "slots");
  return fmt::format("{}, {}, {}", words(key, "names", "name"), words(key, "tags", "tags"),
                     slots ? fmt::format("slots up to {}", *slots) : "any number of slots");
}

Result<int> allow(Context& context, const Arguments& args) {
  Json request = {{"name", args.text("NAME")}, {"role", args.text("role")}, {"public_key", args.text("public-key")}};
  for (const auto* claim : {"names", "tags"}) {
    if (args.has(claim)) request[claim] = args.list(claim);
  }
  if (args.has("slots")) request["slots"] = args.integer("slots").value_or(0);
  const auto key = context.call("keys.allow", std::move(request));
  if (!key) return key.error();
  if (!context.for_people()) {
    context.print_object({"name", "role", "public_key", "names", "tags", "slots"}, *key);
  } else {
    context.out.write(fmt::format("allowed {} as {}{}\n", text_in(*key, "name"), text_in(*key, "role"),
                                  text_in(*key, "role") == "worker" ? ": " + claims_of(*key) : ""));
  }
  return 0;
}

Result<int> revoke(Context& context, const Arguments& args) {
  const auto key = context.call("keys.revoke", {{"name", args.text("NAME")}});
  if (!key) return key.error();
  if (!context.for_people()) {
    context.print_object({"name", "public_key"}, *key);
  } else {
    context.out.write(fmt::format("revoked {}\n", text_in(*key, "name")));
  }
  return 0;
}

Result<int> list_allowed(Context& context, const Arguments&) {
  return list(
      context, "keys.list", Json::object(),
      {{text_column("NAME", "name", 0),
        text_column("ROLE", "role", 0),
        text_column("PUBLIC KEY", "public_key", 1),
        {"MAY CLAIM",
         [](const Json& row, const Style&) { return Cell{text_in(row, "role") == "worker" ? claims_of(row) : ""}; },
         Align::left, 2},
        clock_column("SINCE", "created_at", 3),
        text_column("BY", "created_by", 4)},
       {"name", "role", "public_key", "names", "tags", "slots", "created_at", "created_by"},
       "no keys allowed yet: only local clients can connect"});
}

// The audit has the verbs of the protocol, people those of the command line: "group.add_member" is "group add-member".
std::string spoken_verb(std::string verb) {
  std::ranges::replace(verb, '.', ' ');
  std::ranges::replace(verb, '_', '-');
  return verb;
}
std::string wire_verb(std::string verb) {
  std::ranges::replace(verb, ' ', '.');
  std::ranges::replace(verb, '-', '_');
  return verb;
}

// Rows may be long, so the broker answers in pages.
Result<Json> audit_rows(Context& context, Json request) {
  constexpr int64_t kRows = 50;
  const auto wanted = static_cast<size_t>(std::max<int64_t>(request.value("limit", kRows), 1));
  request["paged"] = true;
  Json rows = Json::array();
  for (;;) {
    request["limit"] = wanted - rows.size();
    auto page = context.call("audit.list", request);
    if (!page) return page.error();
    if (page->is_array()) return page;  // of a broker that has no pages
    for (auto& row : page->at("rows")) rows.push_back(std::move(row));
    request["before"] = page->at("next");
    if (request["before"].is_null() || rows.size() >= wanted) return rows;
  }
}

Result<int> audit_list(Context& context, const Arguments& args) {
  Json request = Json::object();
  if (args.has("who")) request["who"] = args.text("who");
  if (args.has("verb")) request["verb"] = wire_verb(args.text("verb"));
  if (const auto limit = args.integer("limit")) request["limit"] = *limit;
  if (args.has("since")) {
    const auto since = parse_since(args.text("since"), context.clock.wall());
    if (!since) return since.error();
    request["since_ms"] = to_ms(*since);
  }
  const bool filtered = request.contains("who") || request.contains("verb") || request.contains("since_ms");
  const auto rows = audit_rows(context, std::move(request));
  if (!rows) return rows.error();
  context.print_list(
      {{text_column("ID", "id", 4),
        clock_column("AT", "at", 0),
        text_column("WHO", "who", 0),
        {"VERB", [](const Json& row, const Style&) { return Cell{spoken_verb(text_in(row, "verb"))}; }, Align::left, 0},
        text_column("OBJECT", "object", 0)},
       {"id", "at", "who", "verb", "object", "args", "before", "after"},
       filtered ? "no matching audit entries" : "no audit entries yet"},
      *rows);
  return 0;
}

}  // namespace

std::vector<Verb> key_verbs() {
  using enum Flag::Type;
  const Positional file = {"FILE", "the key file"};
  return {
      {"keys new",
       "Create a key pair in a file that only you can read, and print the public key.",
       {file},
       {},
       {"pipekit-ctl keys new /etc/pipekit/broker.key"},
       "",
       make_key},
      {"keys show",
       "Print the public key of a key file.",
       {file},
       {},
       {"pipekit-ctl keys show worker.key"},
       "",
       show_key},
      {"keys allow",
       "Allow a key to connect.",
       {{"NAME", "its name in lists and in the audit"}},
       {{"role",
         text,
         "viewer: reads; operator: does everything; worker: executes runs",
         "ROLE",
         "",
         {"viewer", "operator", "worker"}},
        {"public-key", text, "the key, as printed by keys new and keys show", "KEY"},
        {"names", list, "worker: the names it may use, plant2-* for all that begin so (any free one); repeatable",
         "NAME"},
        {"tags", list, "worker: the tags it may claim (any); repeatable", "TAG"},
        {"slots", Flag::Type::count, "worker: the most slots it may have (any number)", "N"}},
       {"pipekit-ctl keys allow plant2 --role worker --public-key KEY --names plant2 --tags site:plant2 --slots 4"},
       "A worker's name belongs to the key, or the local user, that used it first; workers release gives it up.",
       allow},
      {"keys revoke",
       "Revoke a key at once and close its connections.",
       {{"NAME", "the key's name"}},
       {},
       {"pipekit-ctl keys revoke plant2"},
       "",
       revoke},
      {"keys list", "List allowed keys.", {}, {}, {"pipekit-ctl keys list"}, "", list_allowed},
      {"audit list",
       "List who changed what, newest first.",
       {},
       {{"who", text, "only changes by this user or key", "NAME"},
        {"verb", text, "only this verb, such as \"module update\"", "VERB"},
        {"since", text, "only since T: an ISO time (UTC), or 24h, 7d ago", "T"},
        {"limit", Flag::Type::count, "show at most N (50)", "N"}},
       {"pipekit-ctl audit list --since 24h", "pipekit-ctl audit list --who plant2 -o json"},
       "With -o json, each entry has its arguments and the object before and after.",
       audit_list},
  };
}

}  // namespace pipekit::ctl
