// driver, connection, module, group: list, show, add, update, remove; and what only some of them have.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/definition_flags.h"
#include "ctl/flag_references.h"
#include "ctl/status_screen.h"
#include "ctl/verbs.h"
#include "ctl/verbs_parts.h"

namespace pipekit::ctl {
namespace {

const Flag kFile = {"file", Flag::Type::text, "its fields as YAML, - for stdin; flags go over it", "FILE", "f"};
const Flag kRename = {"rename", Flag::Type::text, "a new name", "NAME"};
const Flag kUnset = {"unset", Flag::Type::list, "back to the default", "FIELD"};
const Flag kYes = {"yes", Flag::Type::on, "do not ask"};

std::string word(Kind kind) { return std::string(to_string(kind)); }

std::vector<std::string> field_names(Kind kind) {
  std::vector<std::string> names = {"id", "name"};
  for (const auto& field : fields_of(kind)) {
    if (field.name != "name") names.emplace_back(field.name);
  }
  return names;
}

Listing listing_of(Kind kind) {
  const auto none = fmt::format("no {}s; pipekit-ctl {} add or apply -f FILE makes one", word(kind), word(kind));
  const auto fields = field_names(kind);
  switch (kind) {
    case Kind::driver:
      return {{text_column("DRIVER", "name", 0), text_column("JAR", "jar_file", 2),
               text_column("CLASS", "class_name", 3), text_column("URL", "url_template", 1)},
              fields,
              none};
    case Kind::connection:
      return {
          {text_column("CONNECTION", "name", 0), text_column("DRIVER", "driver", 1), text_column("URL", "jdbc_url", 2),
           text_column("USER", "username", 3), text_column("TAGS", "required_tags", 4),
           number_column("SESSIONS", "max_sessions", 5), text_column("FENCE", "fence", 6)},
          fields,
          none};
    default:
      return {group_columns(), fields, none};
  }
}

Result<int> list_kind(Context& context, Kind kind) {
  return list(context, word(kind) + ".list", Json::object(), listing_of(kind));
}

Result<int> list_modules(Context& context) {
  const auto rows = context.call("module.list", {{"full", !context.for_people()}});
  if (!rows) return rows.error();
  if (!context.for_people()) {
    context.print_list({{}, field_names(Kind::module), ""}, *rows);
    return 0;
  }
  if (rows->empty()) context.notice("no modules; pipekit-ctl apply -f FILE adds what a file defines");
  context.out.write(modules_by_source(*rows, context.style()));
  return 0;
}

// Flags over the file over nothing.
Result<Json> given_fields(Context& context, Kind kind, const Arguments& args) {
  Json fields = Json::object();
  if (args.has("file")) {
    auto read = definition_from_file(kind, args.text("file"));
    if (!read) return read.error();
    fields = std::move(*read);
  }
  auto flags = fields_from(kind, args);
  if (!flags) return flags.error();
  if (const auto named = replace_ids(context, kind, *flags); !named) return named.error();
  fields.update(*flags);
  return fields;
}

// The object for programs, one line for people.
void tell_changed(Context& context, Kind kind, const Json& object, std::string_view what) {
  if (!context.for_people()) return context.print_object(field_names(kind), object);
  context.out.write(fmt::format("{} {} {}\n", what, word(kind), text_in(object, "name")));
}

Result<int> add(Context& context, Kind kind, const Arguments& args) {
  auto fields = given_fields(context, kind, args);
  if (!fields) return fields.error();
  if (args.has("NAME")) (*fields)["name"] = args.text("NAME");
  if (!fields->contains("name")) return Error{ErrorCode::kUsage, word(kind) + " add: NAME is missing"};
  const auto object = context.call(word(kind) + ".add", std::move(*fields));
  if (!object) return object.error();
  tell_changed(context, kind, *object, "added");
  return 0;
}

Result<int> update(Context& context, Kind kind, const Arguments& args) {
  auto set = given_fields(context, kind, args);
  if (!set) return set.error();
  set->erase("name");
  if (args.has("rename")) (*set)["name"] = args.text("rename");
  for (const auto& field : args.list("unset")) (*set)[field] = nullptr;
  if (set->empty()) {
    return Error{ErrorCode::kUsage, word(kind) + " update: nothing to change was given",
                 fmt::format("pipekit-ctl {} update --help lists the fields", word(kind))};
  }
  const auto object = context.call(word(kind) + ".update", {{"name", args.text("NAME")}, {"set", *set}});
  if (!object) return object.error();
  tell_changed(context, kind, *object, "updated");
  return 0;
}

Result<int> remove(Context& context, Kind kind, const Arguments& args) {
  const auto question = fmt::format("remove {} {}?", word(kind), args.text("NAME"));
  if (!confirmed(question, args.has("yes"))) {
    context.notice("nothing was removed");
    return 0;
  }
  const auto removed = context.call(word(kind) + ".remove", {{"name", args.text("NAME")}});
  if (!removed) return removed.error();
  if (!context.for_people()) {
    context.print_object({"removed"}, *removed);
  } else {
    context.out.write(fmt::format("removed {} {}\n", word(kind), text_in(*removed, "removed")));
  }
  return 0;
}

std::string add_example(Kind kind) {
  switch (kind) {
    case Kind::driver:
      return "pipekit-ctl driver add db2 --jar-file jt400.jar --class-name com.ibm.as400.access.AS400JDBCDriver";
    case Kind::connection:
      return "pipekit-ctl connection add wh --driver postgresql --jdbc-url jdbc:postgresql://db/wh --password '$WH_PW'";
    case Kind::module:
      return "pipekit-ctl module add orders --source-connection erp --dest-connection wh --dest-table sales.orders "
             "--source-query-file orders.sql --merge-strategy incremental --merge-key id";
    default:
      return "pipekit-ctl group add nightly --member orders --member customers";
  }
}

std::string update_example(Kind kind) {
  switch (kind) {
    case Kind::driver:
      return "pipekit-ctl driver update db2 --jar-file /opt/jt400.jar";
    case Kind::connection:
      return "pipekit-ctl connection update wh --max-sessions 4 --required-tag site:plant2";
    case Kind::module:
      return "pipekit-ctl module update orders --retries 2 --unset min_rows";
    default:
      return "pipekit-ctl group update nightly --stop-on-failure";
  }
}

std::vector<Flag> with_flags(std::vector<Flag> flags, std::vector<Flag> more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

std::vector<Verb> verbs_of(Kind kind) {
  const auto name = word(kind);
  const Positional object = {"NAME", "its name or id"};
  const auto list_run = [kind](Context& c, const Arguments&) {
    return kind == Kind::module ? list_modules(c) : list_kind(c, kind);
  };
  const auto show_run = [kind](Context& c, const Arguments& args) {
    return show(c, word(kind) + ".show", {{"name", args.text("NAME")}}, field_names(kind));
  };
  return {
      {name + " list", fmt::format("All {}s.", name), {}, {}, {fmt::format("pipekit-ctl {} list", name)}, "", list_run},
      {name + " show",
       fmt::format("One {} with all its fields.", name),
       {object},
       {},
       {fmt::format("pipekit-ctl {} show NAME", name)},
       "",
       show_run},
      {name + " add",
       fmt::format("Add a {}.", name),
       {{"NAME", "its name; may stand in the file instead", false}},
       with_flags(definition_flags(kind), {kFile}),
       {add_example(kind), fmt::format("pipekit-ctl {} add -f {}.yaml", name, name)},
       "",
       [kind](Context& c, const Arguments& args) { return add(c, kind, args); }},
      {name + " update",
       fmt::format("Change fields of a {}; the others stay.", name),
       {object},
       with_flags(definition_flags(kind), {kFile, kRename, kUnset}),
       {update_example(kind)},
       "",
       [kind](Context& c, const Arguments& args) { return update(c, kind, args); }},
      {name + " remove",
       fmt::format("Remove a {} that nothing refers to.", name),
       {object},
       {kYes},
       {fmt::format("pipekit-ctl {} remove NAME --yes", name)},
       "",
       [kind](Context& c, const Arguments& args) { return remove(c, kind, args); }},
  };
}

}  // namespace

std::vector<Verb> definition_verbs() {
  std::vector<Verb> verbs;
  const auto take = [&](std::vector<Verb> more) { verbs.insert(verbs.end(), more.begin(), more.end()); };
  take(verbs_of(Kind::driver));
  take(verbs_of(Kind::connection));
  take(connection_test_verb());
  take(verbs_of(Kind::module));
  take(module_verbs());
  take(part_verbs());
  take(verbs_of(Kind::group));
  take(member_verbs());
  take(schedule_verbs());
  return verbs;
}

}  // namespace pipekit::ctl
