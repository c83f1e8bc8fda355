// runs, group-runs, events.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/event_text.h"
#include "ctl/follow.h"
#include "ctl/human.h"
#include "ctl/run_page.h"
#include "ctl/verbs.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

const Flag kLimit = {"limit", Flag::Type::count, "show at most N (50)", "N"};

const std::vector<std::string> kRunFields = {"id",        "module_name",  "status",      "attempt",   "worker",
                                             "queued_at", "started_at",   "finished_at", "row_count", "error",
                                             "module_id", "group_run_id", "triggered_by"};

Listing run_listing() {
  return {{text_column("RUN", "id", 0), text_column("MODULE", "module_name", 0), status_column("STATUS", "status"),
           number_column("ROWS", "row_count", 1), duration_column("TOOK", "started_at", "finished_at", 2),
           time_column("QUEUED", "queued_at", 3), text_column("WORKER", "worker", 5),
           text_column("BY", "triggered_by", 6, Fit::spare), error_column("ERROR", "error", "error_code", 4)},
          kRunFields,
          "no runs yet; pipekit-ctl run MODULE starts one",
          "no matching runs"};
}

Result<int64_t> id_of(const Arguments& args, const std::string& what) {
  const auto id = args.integer("ID");
  if (id) return *id;
  return Error{ErrorCode::kUsage, fmt::format("the ID of a {} is a number, not \"{}\"", what, args.text("ID"))};
}

Result<int> runs_list(Context& context, const Arguments& args) {
  Json request = Json::object();
  if (args.has("module")) request["module"] = args.text("module");
  if (args.has("status")) request["status"] = args.text("status");
  if (const auto limit = args.integer("limit")) request["limit"] = *limit;
  if (const auto before = args.integer("before")) request["before"] = *before;
  if (args.has("since")) {
    const auto since = parse_since(args.text("since"), context.clock.wall());
    if (!since) return since.error();
    request["since_ms"] = to_ms(*since);
  }
  return list(context, "runs.list", std::move(request), run_listing());
}

Result<int> runs_show(Context& context, const Arguments& args) {
  const auto id = id_of(args, "run");
  if (!id) return id.error();
  const auto run = context.call("runs.show", {{"id", *id}});
  if (!run) return run.error();
  if (context.for_people()) {
    context.out.write(run_page(*run, context.style()));
  } else {
    context.print_object(kRunFields, *run);
  }
  return 0;
}

Result<int> group_runs_list(Context& context, const Arguments& args) {
  Json request = Json::object();
  if (args.has("group")) request["group"] = args.text("group");
  if (const auto limit = args.integer("limit")) request["limit"] = *limit;
  if (const auto before = args.integer("before")) request["before"] = *before;
  const Listing listing = {
      {text_column("GROUP RUN", "id", 0), text_column("GROUP", "group_name", 0), status_column("STATUS", "status"),
       time_column("STARTED", "started_at", 1), duration_column("TOOK", "started_at", "finished_at", 2),
       text_column("BY", "triggered_by", 3), text_column("NOTE", "note", 4)},
      {"id", "group_id", "group_name", "status", "started_at", "finished_at", "triggered_by"},
      "no group runs yet; pipekit-ctl run-group GROUP starts one",
      "no matching group runs"};
  return list(context, "group_runs.list", std::move(request), listing);
}

Result<int> group_runs_show(Context& context, const Arguments& args) {
  const auto id = id_of(args, "group run");
  if (!id) return id.error();
  const auto run = context.call("group_runs.show", {{"id", *id}});
  if (!run) return run.error();
  if (context.for_people()) {
    context.out.write(group_run_page(*run, context.style()));
  } else {
    context.print_object({"id", "group_name", "status"}, *run);
  }
  return 0;
}

class EventPrinter final : public Observer {
 public:
  explicit EventPrinter(Context& context) : context_(context) {
    if (context.config.format == Format::csv) context.out.write_data(event_csv_titles());
  }
  std::optional<int> observe(const Event& event) override {
    if (context_.for_people()) {
      context_.out.write(event_line(event, context_.style()));
    } else {
      context_.out.write_data(event_record(event, context_.config.format));
    }
    return std::nullopt;
  }

 private:
  Context& context_;
};

// Filters name a module by its name; an id is looked up.
Result<std::string> module_name(Context& context, const std::string& ref) {
  if (ref.empty() || !parse_integer(ref)) return ref;
  const auto module = context.call("module.show", {{"name", ref}});
  if (!module) return module.error();
  return text_in(*module, "name");
}

Result<int> events_tail(Context& context, const Arguments& args) {
  TailWish wish;
  wish.follow = !args.has("no-follow");
  wish.filter.run_id = args.integer("run");
  wish.filter.kinds = args.list("kind");
  auto module = module_name(context, args.text("module"));
  if (!module) return module.error();
  wish.filter.module_name = std::move(*module);
  if (args.has("since")) {
    wish.after = args.integer("since").value_or(0);
  } else if (wish.follow) {
    auto client = context.client();
    if (!client) return client.error();
    const auto last = last_event((*client)->link(), context.config.timeout);
    if (!last) return last.error();
    wish.after = *last;
  }
  EventPrinter printer(context);
  return follow(context, std::move(wish), printer);
}

}  // namespace

std::vector<Verb> history_verbs() {
  using enum Flag::Type;
  const Flag before = {"before", Flag::Type::count, "only those with a lower ID (for paging)", "ID"};
  return {
      {"runs list",
       "List runs, newest first.",
       {},
       {{"module", text, "only runs of this module", "MODULE"},
        {"status",
         text,
         "only runs with this status",
         "STATUS",
         "",
         {"queued", "running", "success", "error", "cancelled", "dry_run"}},
        {"since", text, "queued since T: an ISO time (UTC), or 90s, 30m, 24h, 7d ago", "T"},
        kLimit,
        before},
       {"pipekit-ctl runs list --module orders --since 24h"},
       "",
       runs_list},
      {"runs show",
       "Show a run: times, steps, watermarks, SQL, error, attempts and log.",
       {{"ID", "the run's ID"}},
       {},
       {"pipekit-ctl runs show 12"},
       "",
       runs_show},
      {"runs logs",
       "Show the log of a run.",
       {{"ID", "the run's ID"}},
       {{"follow", on, "keep printing new lines until the run ends", "", "f"},
        {"raw", on, "print the bytes of each line as they are"}},
       {"pipekit-ctl runs logs 12 -f"},
       "Control characters are shown as escapes, in a pipe too, unless --raw is given.",
       runs_logs},
      {"group-runs list",
       "List group runs, newest first.",
       {},
       {{"group", text, "only runs of this group", "GROUP"}, kLimit, before},
       {"pipekit-ctl group-runs list --group nightly"},
       "",
       group_runs_list},
      {"group-runs show",
       "Show a group run and its members.",
       {{"ID", "the group run's ID"}},
       {},
       {"pipekit-ctl group-runs show 3"},
       "",
       group_runs_show},
      {"events tail",
       "Print events as they happen.",
       {},
       {{"since", Flag::Type::natural, "events after number SEQ (0: all stored events)", "SEQ"},
        {"no-follow", on, "print the stored events and exit"},
        {"run", Flag::Type::count, "only events of this run", "RUN_ID"},
        {"module", text, "only events of this module", "MODULE"},
        {"kind", Flag::Type::list, "only this kind: run.finished, worker.lost, ...", "KIND"}},
       {"pipekit-ctl events tail", "pipekit-ctl -o json events tail --since 0 --no-follow",
        "pipekit-ctl events tail --module orders --kind run.finished"},
       "Without --since, shows new events only (with --no-follow, all stored events). Times are in the terminal's time "
       "zone;"
       " in a pipe they are in UTC. With -o json, one object per line.",
       events_tail},
  };
}

}  // namespace pipekit::ctl
