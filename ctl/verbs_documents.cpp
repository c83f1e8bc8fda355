// apply, diff, export.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/definition_file.h"
#include "ctl/definition_flags.h"
#include "ctl/verbs.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

const Flag kPath = {"file", Flag::Type::list, "a file, a directory of *.yaml, or - for stdin", "PATH", "f"};
const Flag kPrune = {"prune", Flag::Type::on, "also remove everything that no file defines"};

Result<DefinitionSet> read(const Arguments& args, std::string_view verb) {
  const auto paths = args.list("file");
  if (paths.empty()) {
    return Error{ErrorCode::kUsage, fmt::format("{}: -f PATH is missing", verb),
                 fmt::format("pipekit-ctl {} -f jobs.yaml", verb)};
  }
  return read_definitions(paths);
}

// The broker names a place by path; the file and line are ours to say.
Error with_places(const DefinitionSet& set, const Reply& reply) {
  auto error = to_error(*reply.error);
  if (reply.body.is_object() && reply.body.contains("problems")) {
    error.message = describe_problems(set, reply.body["problems"]);
    error.hint = "nothing was changed";
  }
  return error;
}

Result<Json> ask(Context& context, const std::string& verb, const DefinitionSet& set, Json args) {
  auto client = context.client();
  if (!client) return client.error();
  args["document"] = set.document;
  auto reply = (*client)->exchange(verb, std::move(args));
  if (!reply) return reply.error();
  if (reply->error) return with_places(set, *reply);
  return std::move(reply->body);
}

std::string value_text(const Json& value) {
  if (value.is_null()) return "none";
  return value.is_string() ? printable(value.get_ref<const std::string&>()) : printable(value.dump());
}

Tint tint_of(std::string_view action) {
  if (action == "add") return Tint::good;
  return action == "remove" ? Tint::bad : Tint::warn;
}

std::string_view mark_of(std::string_view action) {
  if (action == "add") return "+";
  return action == "remove" ? "-" : "~";
}

std::string change_lines(const Json& change, const Style& style) {
  const auto action = text_in(change, "action");
  auto out =
      tinted(fmt::format("{} {} {}", mark_of(action), text_in(change, "kind"), printable(text_in(change, "name"))),
             tint_of(action), style) +
      "\n";
  if (action != "update" || !change.contains("fields")) return out;
  for (const auto& [field, values] : change["fields"].items()) {
    const auto line = fmt::format("    {}: {} -> {}", field, value_text(values.value("from", Json())),
                                  value_text(values.value("to", Json())));
    out += (style.width == 0 ? line : cut(line, style.width)) + "\n";
  }
  return out;
}

struct Tally {
  int added = 0;
  int changed = 0;
  int removed = 0;
  int unchanged = 0;

  [[nodiscard]] bool differs() const { return added + changed + removed > 0; }
};

std::string tally_text(const Tally& tally) {
  return fmt::format("{} added, {} changed, {} removed, {} unchanged", tally.added, tally.changed, tally.removed,
                     tally.unchanged);
}

Tally print_changes(Context& context, const Json& answer) {
  Tally tally;
  for (const auto& change : answer.value("changes", Json::array())) {
    const auto action = text_in(change, "action");
    ++(action == "unchanged" ? tally.unchanged
       : action == "add"     ? tally.added
       : action == "remove"  ? tally.removed
                             : tally.changed);
    if (context.for_people() && action != "unchanged") context.out.write(change_lines(change, context.style()));
  }
  if (!context.for_people()) context.print_object({"applied", "changes"}, answer);
  return tally;
}

// What --prune would remove now.
Result<std::vector<std::string>> removals(Context& context, const DefinitionSet& set) {
  const auto answer = ask(context, "apply", set, {{"prune", true}, {"dry_run", true}});
  if (!answer) return answer.error();
  std::vector<std::string> removed;
  for (const auto& change : answer->value("changes", Json::array())) {
    if (text_in(change, "action") != "remove") continue;
    removed.push_back(fmt::format("{} {}", text_in(change, "kind"), printable(text_in(change, "name"))));
  }
  return removed;
}

Result<bool> may_prune(Context& context, const DefinitionSet& set, bool yes) {
  if (yes) return true;
  const auto removed = removals(context, set);
  if (!removed) return removed.error();
  if (removed->empty()) return true;
  return confirmed(*removed, yes);
}

Result<int> apply(Context& context, const Arguments& args) {
  const auto set = read(args, "apply");
  if (!set) return set.error();
  const bool dry_run = args.has("dry-run");
  const bool prune = args.has("prune");
  if (prune && !dry_run) {
    const auto may = may_prune(context, *set, args.has("yes"));
    if (!may) return may.error();
    if (!*may) {
      context.notice("nothing was changed");
      return 0;
    }
  }
  const auto answer = ask(context, "apply", *set, {{"prune", prune}, {"dry_run", dry_run}});
  if (!answer) return answer.error();
  const auto tally = print_changes(context, *answer);
  if (context.for_people()) {
    context.notice(dry_run ? "dry run: " + tally_text(tally) + "; nothing was changed" : tally_text(tally));
  }
  return 0;
}

Result<int> diff(Context& context, const Arguments& args) {
  const auto set = read(args, "diff");
  if (!set) return set.error();
  const auto answer = ask(context, "diff", *set, {{"prune", args.has("prune")}});
  if (!answer) return answer.error();
  const auto tally = print_changes(context, *answer);
  return args.has("exit-code") && tally.differs() ? 1 : 0;
}

// A definition file in every format but JSON and CSV.
Result<int> export_document(Context& context, const Arguments&) {
  const auto document = context.call("export", Json::object());
  if (!document) return document.error();
  if (context.config.format == Format::json) {
    context.out.write_data(render_json(*document));
  } else if (context.config.format == Format::csv) {
    return Error{ErrorCode::kUsage, "export has no CSV form", "use -o yaml or -o json"};
  } else {
    context.out.write_data(write_yaml(*document));
  }
  return 0;
}

}  // namespace

std::vector<Verb> document_verbs() {
  return {
      {"apply",
       "Make the definitions match the files: all of them or, if anything is wrong, none.",
       {},
       {kPath,
        {"dry-run", Flag::Type::on, "only show what would change"},
        kPrune,
        {"yes", Flag::Type::on, "with --prune: remove without asking; needed where there is no terminal"}},
       {"pipekit-ctl apply -f jobs.yaml", "pipekit-ctl apply -f connections.yaml -f modules/",
        "pipekit-ctl apply -f definitions/ --prune --yes"},
       "All files together form one set. Applying them again changes nothing. If anything in them is wrong, nothing is "
       "changed, the exit code is 3, and the message names file and line. Definitions that no file mentions are left "
       "alone, unless --prune is given.",
       apply},
      {"diff",
       "Show what apply would change.",
       {},
       {kPath, kPrune, {"exit-code", Flag::Type::on, "exit 1 if there is a difference"}},
       {"pipekit-ctl diff -f jobs.yaml --exit-code"},
       "",
       diff},
      {"export",
       "Print all definitions as one file that apply accepts.",
       {},
       {},
       {"pipekit-ctl export > all.yaml"},
       "",
       export_document},
  };
}

}  // namespace pipekit::ctl
