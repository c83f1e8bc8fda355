// apply, diff, export.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/definition_file.h"
#include "ctl/definition_flags.h"
#include "ctl/verbs.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

const Flag kPath = {"file", Flag::Type::text, "a file, a directory of *.yaml, or - for stdin", "PATH", "f"};
const Flag kPrune = {"prune", Flag::Type::on, "also remove what no file defines"};

Result<DefinitionSet> read(const Arguments& args, std::string_view verb) {
  const auto path = args.text("file");
  if (path.empty()) {
    return Error{ErrorCode::kUsage, fmt::format("{}: -f PATH is missing", verb),
                 fmt::format("pipekit-ctl {} -f jobs.yaml", verb)};
  }
  if (path != "-") return read_definitions(path);
  const auto text = read_text("-");
  if (!text) return text.error();
  return parse_definitions("stdin", *text);
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
  auto out = tinted(fmt::format("{} {} {}", mark_of(action), text_in(change, "kind"), text_in(change, "name")),
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
  int changed = 0;
  int unchanged = 0;
};

Tally print_changes(Context& context, const Json& answer) {
  Tally tally;
  for (const auto& change : answer.value("changes", Json::array())) {
    if (text_in(change, "action") == "unchanged") {
      ++tally.unchanged;
      continue;
    }
    ++tally.changed;
    if (context.for_people()) context.out.write(change_lines(change, context.style()));
  }
  if (!context.for_people()) context.print_object({"applied", "changes"}, answer);
  return tally;
}

Result<int> apply(Context& context, const Arguments& args) {
  const auto set = read(args, "apply");
  if (!set) return set.error();
  const bool dry_run = args.has("dry-run");
  const bool prune = args.has("prune");
  if (prune && !dry_run && !confirmed("remove what no file defines?", args.has("yes"))) {
    context.notice("nothing was changed");
    return 0;
  }
  const auto answer = ask(context, "apply", *set, {{"prune", prune}, {"dry_run", dry_run}});
  if (!answer) return answer.error();
  const auto tally = print_changes(context, *answer);
  if (context.for_people()) {
    context.notice(
        fmt::format("{} {}, {} unchanged", tally.changed, dry_run ? "would change" : "changed", tally.unchanged));
  }
  return 0;
}

Result<int> diff(Context& context, const Arguments& args) {
  const auto set = read(args, "diff");
  if (!set) return set.error();
  const auto answer = ask(context, "diff", *set, {{"prune", args.has("prune")}});
  if (!answer) return answer.error();
  const auto tally = print_changes(context, *answer);
  return args.has("exit-code") && tally.changed > 0 ? 1 : 0;
}

// A definition file in every format but JSON and CSV.
Result<int> export_document(Context& context, const Arguments&) {
  const auto document = context.call("export", Json::object());
  if (!document) return document.error();
  if (context.config.format == Format::json) {
    context.out.write(render_json(*document));
  } else if (context.config.format == Format::csv) {
    return Error{ErrorCode::kUsage, "export has no CSV form", "use -o yaml or -o json"};
  } else {
    context.out.write(write_yaml(*document));
  }
  return 0;
}

}  // namespace

std::vector<Verb> document_verbs() {
  return {
      {"apply",
       "Make the definitions what the files say, all or nothing.",
       {},
       {kPath,
        {"dry-run", Flag::Type::on, "only show what would change"},
        kPrune,
        {"yes", Flag::Type::on, "do not ask before --prune removes"}},
       {"pipekit-ctl apply -f jobs.yaml", "pipekit-ctl apply -f definitions/ --dry-run --prune"},
       "Applying twice changes nothing. A file that is wrong in one place changes nothing: exit 3, with file and line.",
       apply},
      {"diff",
       "What apply would change.",
       {},
       {kPath, kPrune, {"exit-code", Flag::Type::on, "exit 1 when there is a difference"}},
       {"pipekit-ctl diff -f jobs.yaml --exit-code"},
       "",
       diff},
      {"export",
       "All definitions as one file that apply takes.",
       {},
       {},
       {"pipekit-ctl export > all.yaml"},
       "",
       export_document},
  };
}

}  // namespace pipekit::ctl
