// keys new, show, allow, revoke, list; audit list.
#include <fmt/format.h>

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

// Here, not at the broker: a secret key never travels.
Result<int> make_key(Context& context, const Arguments& args) {
  const auto pair = new_key_pair();
  if (auto written = write_key_file(args.text("FILE"), pair); !written) return written.error();
  context.notice(fmt::format("{} holds the secret; this is the public key:", args.text("FILE")));
  return print_public_key(context, pair.public_key);
}

Result<int> show_key(Context& context, const Arguments& args) {
  const auto pair = read_key_file(args.text("FILE"));
  if (!pair) return pair.error();
  return print_public_key(context, pair->public_key);
}

Result<int> allow(Context& context, const Arguments& args) {
  const auto key =
      context.call("keys.allow",
                   {{"name", args.text("NAME")}, {"role", args.text("role")}, {"public_key", args.text("public-key")}});
  if (!key) return key.error();
  if (!context.for_people()) {
    context.print_object({"name", "role", "public_key"}, *key);
  } else {
    context.out.write(fmt::format("allowed {} as {}\n", text_in(*key, "name"), text_in(*key, "role")));
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
      {{text_column("NAME", "name", 0), text_column("ROLE", "role", 0), text_column("PUBLIC KEY", "public_key", 1),
        text_column("SINCE", "created_at", 3), text_column("BY", "created_by", 4)},
       {"name", "role", "public_key", "created_at", "created_by"},
       "no key is allowed yet: only local sockets let anybody in"});
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
  for (const auto* name : {"who", "verb"}) {
    if (args.has(name)) request[name] = args.text(name);
  }
  if (const auto limit = args.integer("limit")) request["limit"] = *limit;
  if (args.has("since")) {
    const auto since = parse_since(args.text("since"), context.clock.wall());
    if (!since) return since.error();
    request["since_ms"] = to_ms(*since);
  }
  const auto rows = audit_rows(context, std::move(request));
  if (!rows) return rows.error();
  context.print_list({{text_column("ID", "id", 4), text_column("AT", "at", 0), text_column("WHO", "who", 0),
                       text_column("VERB", "verb", 0), text_column("OBJECT", "object", 0)},
                      {"id", "at", "who", "verb", "object", "args", "before", "after"},
                      "nothing was changed yet"},
                     *rows);
  return 0;
}

}  // namespace

std::vector<Verb> key_verbs() {
  using enum Flag::Type;
  const Positional file = {"FILE", "the key file"};
  return {
      {"keys new",
       "Make a pair of keys: a file that only its owner can read. Prints the public key.",
       {file},
       {},
       {"pipekit-ctl keys new /etc/pipekit/broker.key"},
       "",
       make_key},
      {"keys show", "The public key of a key file.", {file}, {}, {"pipekit-ctl keys show worker.key"}, "", show_key},
      {"keys allow",
       "Let the owner of a key in.",
       {{"NAME", "how it is called in lists and in the audit"}},
       {{"role",
         text,
         "viewer: looks; operator: everything; worker: carries out runs",
         "ROLE",
         "",
         {"viewer", "operator", "worker"}},
        {"public-key", text, "as keys new and keys show print it", "KEY"}},
       {"pipekit-ctl keys allow plant2 --role worker --public-key KEY"},
       "",
       allow},
      {"keys revoke",
       "Let it in no longer, from this moment on; its connections are cut.",
       {{"NAME", "its name"}},
       {},
       {"pipekit-ctl keys revoke plant2"},
       "",
       revoke},
      {"keys list", "Whose keys are allowed.", {}, {}, {"pipekit-ctl keys list"}, "", list_allowed},
      {"audit list",
       "Who changed what, the newest first.",
       {},
       {{"who", text, "only by this user or key", "NAME"},
        {"verb", text, "only this verb, as module.update", "VERB"},
        {"since", text, "only after this: 24h, 7d or a time", "TIME"},
        {"limit", integer, "how many (50)", "N"}},
       {"pipekit-ctl audit list --since 24h", "pipekit-ctl audit list --who plant2 -o json"},
       "With -o json each has its arguments, and the object before and after.",
       audit_list},
  };
}

}  // namespace pipekit::ctl
