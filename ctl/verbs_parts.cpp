// Watermarks and hooks of a module, members of a group.
#include "ctl/verbs_parts.h"

#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/definition_flags.h"
#include "ctl/human.h"
#include "ctl/reference_ids.h"
#include "ctl/status_screen.h"

namespace pipekit::ctl {
namespace {

const Flag kModule = {"module", Flag::Type::text, "the module it belongs to", "MODULE"};

std::string word(Kind kind) { return std::string(to_string(kind)); }

Result<Json> with_module(const Arguments& args, std::string_view verb) {
  if (args.has("module")) return Json{{"module", args.text("module")}};
  return Error{ErrorCode::kUsage, fmt::format("{}: --module is missing", verb),
               fmt::format("pipekit-ctl {} --help shows an example", verb)};
}

Listing listing_of(Kind kind) {
  if (kind == Kind::watermark) {
    return {{text_column("WATERMARK", "name", 0), text_column("CONNECTION", "connection", 1),
             text_column("DEFAULT", "default_value", 2), text_column("RAW", "raw", 3), text_column("NULL", "null", 3),
             text_column("SQL", "resolver_sql", 3)},
            {"id", "name", "connection", "resolver_sql", "default_value", "raw", "null"},
            "no watermarks"};
  }
  return {{text_column("HOOK", "id", 0), text_column("ORDER", "run_order", 1), text_column("ON", "run_on", 1),
           text_column("CONNECTION", "connection", 2), text_column("SQL", "sql", 3)},
          {"id", "run_order", "connection", "sql", "run_on"},
          "no hooks"};
}

// "watermark.add" {module, ...}: prints the answer as -o asks, or one line for people.
Result<int> change(Context& context, Kind kind, const std::string& verb, Json args, std::string_view done) {
  const auto answer = context.call(word(kind) + "." + verb, std::move(args));
  if (!answer) return answer.error();
  if (!context.for_people()) {
    context.print_object(listing_of(kind).fields, *answer);
    return 0;
  }
  auto name = text_in(*answer, "removed");
  if (name.empty()) name = text_in(*answer, kind == Kind::hook ? "id" : "name");
  context.out.write(fmt::format("{} {} {}\n", done, word(kind), name));
  return 0;
}

Result<int> list_parts(Context& context, Kind kind, const Arguments& args) {
  auto request = with_module(args, word(kind) + " list");
  if (!request) return request.error();
  return list(context, word(kind) + ".list", std::move(*request), listing_of(kind));
}

Result<int> add_part(Context& context, Kind kind, const Arguments& args) {
  auto request = with_module(args, word(kind) + " add");
  if (!request) return request.error();
  auto fields = fields_from(kind, args);
  if (!fields) return fields.error();
  if (auto replaced = replace_ids(context, kind, *fields); !replaced) return replaced.error();
  request->update(*fields);
  if (kind == Kind::watermark) (*request)["name"] = args.text("NAME");
  return change(context, kind, "add", std::move(*request), "added");
}

Result<int> update_part(Context& context, Kind kind, const Arguments& args) {
  auto request = with_module(args, word(kind) + " update");
  if (!request) return request.error();
  auto set = fields_from(kind, args);
  if (!set) return set.error();
  if (auto replaced = replace_ids(context, kind, *set); !replaced) return replaced.error();
  if (args.has("rename")) (*set)["name"] = args.text("rename");
  for (const auto& field : args.list("unset")) (*set)[field] = nullptr;
  if (set->empty()) return Error{ErrorCode::kUsage, word(kind) + " update: no field to change was given"};
  (*request)["name"] = args.text(kind == Kind::hook ? "ID" : "NAME");
  (*request)["set"] = std::move(*set);
  return change(context, kind, "update", std::move(*request), "updated");
}

Result<int> remove_part(Context& context, Kind kind, const Arguments& args) {
  auto request = with_module(args, word(kind) + " remove");
  if (!request) return request.error();
  const auto name = args.text(kind == Kind::hook ? "ID" : "NAME");
  const auto may =
      confirmed({fmt::format("{} {} of module {}", word(kind), name, args.text("module"))}, args.has("yes"));
  if (!may) return may.error();
  if (!*may) {
    context.notice("nothing was removed");
    return 0;
  }
  (*request)["name"] = name;
  return change(context, kind, "remove", std::move(*request), "removed");
}

std::vector<Flag> flags_of(Kind kind, std::vector<Flag> more) {
  auto flags = definition_flags(kind);
  flags.insert(flags.begin(), kModule);
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

std::string add_example(Kind kind) {
  return kind == Kind::watermark
             ? "pipekit-ctl watermark add last_id --module orders --connection wh --resolver-sql "
               "'SELECT max(id) FROM sales.orders' --default-value 0"
             : "pipekit-ctl hook add --module orders --connection wh --sql 'ANALYZE sales.orders' --run-on success";
}

std::vector<Verb> verbs_of(Kind kind) {
  const auto name = word(kind);
  const bool hook = kind == Kind::hook;
  const Positional object = hook ? Positional{"ID", "the hook's ID"} : Positional{"NAME", "the watermark's name or ID"};
  const std::vector<Positional> new_name = hook ? std::vector<Positional>{} : std::vector{object};
  const Flag unset = {"unset", Flag::Type::list, "reset a field to its default", "FIELD"};
  const Flag rename = {"rename", Flag::Type::text, "a new name", "NAME"};
  const auto example = [&](std::string_view verb) {
    return fmt::format("pipekit-ctl {} {} {} --module orders", name, verb, hook ? "3" : "last_id");
  };
  return {
      {name + " list",
       fmt::format("List the {}s of a module.", name),
       {},
       {kModule},
       {fmt::format("pipekit-ctl {} list --module orders", name)},
       "",
       [kind](Context& c, const Arguments& args) { return list_parts(c, kind, args); }},
      {name + " add",
       fmt::format("Add a {} to a module.", name),
       new_name,
       flags_of(kind, {}),
       {add_example(kind)},
       "",
       [kind](Context& c, const Arguments& args) { return add_part(c, kind, args); }},
      {name + " update",
       fmt::format("Change a {}.", name),
       {object},
       flags_of(kind, hook ? std::vector{unset} : std::vector{rename, unset}),
       {example("update") + (hook ? " --run-on always" : " --default-value 1")},
       "",
       [kind](Context& c, const Arguments& args) { return update_part(c, kind, args); }},
      {name + " remove",
       fmt::format("Remove a {}.", name),
       {object},
       {kModule, {"yes", Flag::Type::on, "remove without asking; needed where there is no terminal"}},
       {example("remove") + " --yes"},
       "",
       [kind](Context& c, const Arguments& args) { return remove_part(c, kind, args); }},
  };
}

Result<int> show_group(Context& context, const std::string& verb, Json args) {
  const auto group = context.call(verb, std::move(args));
  if (!group) return group.error();
  if (context.for_people()) {
    context.out.write(render_table(group_columns(), Json::array({*group}), context.style()));
  } else {
    context.print_object({"id", "name"}, *group);
  }
  return 0;
}

Result<int> add_member(Context& context, const Arguments& args) {
  Json request = {{"group", args.text("GROUP")}, {"module", args.text("MODULE")}};
  if (const auto order = args.integer("run-order")) request["run_order"] = *order;
  return show_group(context, "group.add_member", std::move(request));
}

Result<int> remove_member(Context& context, const Arguments& args) {
  return show_group(context, "group.remove_member", {{"group", args.text("GROUP")}, {"module", args.text("MODULE")}});
}

}  // namespace

std::vector<Verb> part_verbs() {
  auto verbs = verbs_of(Kind::watermark);
  for (auto& verb : verbs_of(Kind::hook)) verbs.push_back(std::move(verb));
  return verbs;
}

std::vector<Verb> member_verbs() {
  const Positional group = {"GROUP", "the group's name or ID"};
  const Positional module = {"MODULE", "the module's name or ID"};
  return {
      {"group add-member",
       "Add a module to a group.",
       {group, module},
       {{"run-order", Flag::Type::integer, "its stage; members with the same number run in parallel (default: last)",
         "N"}},
       {"pipekit-ctl group add-member nightly orders --run-order 2"},
       "",
       add_member},
      {"group remove-member",
       "Remove a module from a group.",
       {group, module},
       {},
       {"pipekit-ctl group remove-member nightly orders"},
       "",
       remove_member},
  };
}

}  // namespace pipekit::ctl
