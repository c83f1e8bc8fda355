// run, run-group, cancel, why.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/verbs.h"
#include "ctl/watch.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

const Flag kDryRun = {"dry-run", Flag::Type::on, "show what a run would do, and change nothing"};
const Flag kWatch = {"watch", Flag::Type::on, "follow it until it ends; exit 0 for success, 4 otherwise"};

Error misunderstood(std::string_view verb) {
  return {ErrorCode::kMalformed, fmt::format("the broker's answer to {} lacks the expected fields", verb),
          "compare the versions: pipekit-ctl version, and pipekit-ctl status for the broker's"};
}

// The number alone for people, the object for programs.
void print_started(Context& context, const std::string& field, int64_t id) {
  if (context.for_people()) return context.out.write(fmt::format("{}\n", id));
  context.print_object({field}, {{field, id}});
}

struct Wait {
  std::string text;
  std::string hint;
};

// What keeps all of these runs from starting, if anything does.
std::optional<Wait> waiting_for(const Json& reasons) {
  std::optional<Wait> first;
  for (const auto& reason : reasons) {
    if (text_in(reason, "status") != "queued" || text_in(reason, "code") == "starting") return std::nullopt;
    if (!first) first = {text_in(reason, "text"), text_in(reason, "hint")};
  }
  return first;
}

// A run that is watched and does not start: why, at once.
void tell_wait(Context& context, Json which) {
  if (context.config.quiet) return;
  const auto answer = context.call("why", std::move(which));
  if (!answer) return;
  const auto wait = waiting_for(answer->value("reasons", Json::array()));
  if (!wait) return;
  context.notice(printable(wait->text));
  if (!wait->hint.empty()) context.notice("hint: " + printable(wait->hint));
}

Result<int> run_module(Context& context, const Arguments& args) {
  auto set = assignments(args);
  if (!set) return set.error();
  const Json request = {
      {"module", args.text("MODULE")}, {"dry_run", args.has("dry-run")}, {"set", *set}, {"triggered_by", "manual"}};
  const auto answer = context.call("run", request);
  if (!answer) return answer.error();
  const auto id = integer_in(*answer, "run_id");
  if (!id) return misunderstood("run");
  if (!args.has("watch")) {
    print_started(context, "run_id", *id);
    return 0;
  }
  if (context.for_people()) context.out.write(fmt::format("{}\n", *id));
  tell_wait(context, {{"run_id", *id}});
  RunWatch watch(context, *id, args.text("MODULE"));
  TailWish wish;
  wish.filter.run_id = *id;
  wish.after = integer_in(*answer, "seq").value_or(1) - 1;
  return follow(context, std::move(wish), watch);
}

Result<int> run_group(Context& context, const Arguments& args) {
  const auto answer = context.call("run_group", {{"group", args.text("GROUP")}, {"dry_run", args.has("dry-run")}});
  if (!answer) return answer.error();
  const auto id = integer_in(*answer, "group_run_id");
  if (!id) return misunderstood("run-group");
  if (!args.has("watch")) {
    print_started(context, "group_run_id", *id);
    return 0;
  }
  if (context.for_people()) context.out.write(fmt::format("{}\n", *id));
  tell_wait(context, {{"group_run_id", *id}});
  GroupWatch watch(context, *id, args.text("GROUP"));
  TailWish wish;
  wish.filter.group_run_id = *id;
  wish.after = integer_in(*answer, "seq").value_or(1) - 1;
  return follow(context, std::move(wish), watch);
}

Result<Json> cancel_target(const Arguments& args) {
  Json target = Json::object();
  if (args.has("RUN_ID")) {
    const auto id = args.integer("RUN_ID");
    if (!id) {
      return Error{ErrorCode::kUsage, fmt::format("the ID of a run is a number, not \"{}\"", args.text("RUN_ID")),
                   "to cancel the runs of a module: pipekit-ctl cancel --module NAME"};
    }
    target["run_id"] = *id;
  }
  for (const auto* name : {"module", "group"}) {
    if (args.has(name)) target[name] = args.text(name);
  }
  if (target.size() == 1) return target;
  return Error{ErrorCode::kUsage, "cancel takes one of RUN_ID, --module NAME and --group NAME"};
}

Result<int> cancel(Context& context, const Arguments& args) {
  auto target = cancel_target(args);
  if (!target) return target.error();
  const auto answer = context.call("cancel", std::move(*target));
  if (!answer) return answer.error();
  if (!context.for_people()) {
    context.print_object({"cancelled"}, *answer);
    return 0;
  }
  const auto runs = answer->value("cancelled", Json::array());
  if (runs.empty()) context.notice("nothing was running");
  for (const auto& run : runs) context.out.write(fmt::format("cancelling run {}\n", plain_text(run)));
  return 0;
}

Result<int> why(Context& context, const Arguments& args) {
  const auto name = args.text("MODULE|RUN_ID");
  const auto id = parse_integer(name);
  const auto answer = context.call("why", id ? Json{{"run_id", *id}} : Json{{"module", name}});
  if (!answer) return answer.error();
  if (!context.for_people()) {
    context.print_object({"reasons"}, *answer);
    return 0;
  }
  for (const auto& reason : answer->value("reasons", Json::array())) {
    context.out.write(printable_lines(text_in(reason, "text")) + "\n");
    const auto hint = text_in(reason, "hint");
    if (!hint.empty()) context.out.write("  hint: " + printable(hint) + "\n");
  }
  return 0;
}

}  // namespace

std::vector<Verb> run_verbs() {
  const Flag set = {"set", Flag::Type::list, "use VALUE for the watermark NAME", "NAME=VALUE"};
  return {
      {"run",
       "Start a module now and print the run's ID.",
       {{"MODULE", "the module's name or ID"}},
       {kDryRun, kWatch, set},
       {"pipekit-ctl run orders --watch", "pipekit-ctl run orders --dry-run --watch",
        "pipekit-ctl run orders --set last_id=0"},
       "With -o json, --watch prints one event per line; the last is run.finished. With -q it prints only how the run "
       "ended.",
       run_module},
      {"run-group",
       "Start the enabled modules of a group and print the group run's ID.",
       {{"GROUP", "the group's name or ID"}},
       {kDryRun, kWatch},
       {"pipekit-ctl run-group nightly --watch"},
       "",
       run_group},
      {"cancel",
       "Cancel a run.",
       {{"RUN_ID", "the run's ID", false}},
       {{"module", Flag::Type::text, "the runs of this module", "MODULE"},
        {"group", Flag::Type::text, "the runs of this group and of its members", "GROUP"}},
       {"pipekit-ctl cancel 12", "pipekit-ctl cancel --module orders"},
       "",
       cancel},
      {"why",
       "Explain why a module does not run, why a run waits, or how it ended.",
       {{"MODULE|RUN_ID", "a module's name or a run's ID"}},
       {},
       {"pipekit-ctl why orders", "pipekit-ctl why 12"},
       "",
       why},
  };
}

}  // namespace pipekit::ctl
