// Schedules: when groups run, and what became of each scheduled time.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/definition_flags.h"
#include "ctl/human.h"
#include "ctl/status_screen.h"
#include "ctl/verbs_parts.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

const Positional kId = {"ID", "the schedule's ID, as shown by schedule list"};
const Positional kGroup = {"GROUP", "the group's name or ID"};

Listing schedule_listing() {
  const Column every = {"EVERY",
                        [](const Json& row, const Style&) {
                          const auto seconds = integer_in(row, "every_s").value_or(0);
                          return Cell{seconds == 0 ? "" : duration_text(std::chrono::seconds{seconds})};
                        },
                        Align::left, 1};
  return {{text_column("ID", "id", 0), text_column("GROUP", "group", 0), text_column("CRON", "cron_expr", 0), every,
           text_column("ZONE", "timezone", 2), text_column("MISFIRE", "misfire", 5),
           text_column("ENABLED", "enabled", 3), time_column("LAST FIRED", "last_fired_at", 4), next_column(1)},
          {"id", "group", "kind", "cron_expr", "every_s", "timezone", "misfire", "enabled", "last_fired_at",
           "next_fire_at", "does_not_fire"},
          "no schedules; pipekit-ctl schedule add GROUP --cron-expr '0 2 * * *' adds one",
          "no matching schedules"};
}

Result<int64_t> id_in(const Arguments& args) {
  if (const auto id = args.integer("ID")) return *id;
  return Error{ErrorCode::kUsage, fmt::format("the ID of a schedule is a number, not \"{}\"", args.text("ID")),
               "list them with: pipekit-ctl schedule list"};
}

Result<int> change(Context& context, const std::string& verb, Json request, std::string_view done) {
  const auto answer = context.call("schedule." + verb, std::move(request));
  if (!answer) return answer.error();
  if (context.for_people()) {
    const auto id = answer->contains("id") ? text_in(*answer, "id") : text_in(*answer, "removed");
    context.out.write(fmt::format("{} schedule {}\n", done, id));
  } else {
    context.print_object(schedule_listing().fields, *answer);
  }
  return 0;
}

Result<int> list_all(Context& context, const Arguments& args) {
  Json request = Json::object();
  if (args.has("group")) request["group"] = args.text("group");
  return list(context, "schedule.list", std::move(request), schedule_listing());
}

Result<int> add(Context& context, const Arguments& args) {
  auto fields = fields_from(Kind::schedule, args);
  if (!fields) return fields.error();
  if (fields->contains("every_s") && !fields->contains("kind")) (*fields)["kind"] = "interval";
  (*fields)["group"] = args.text("GROUP");
  return change(context, "add", std::move(*fields), "added");
}

Result<int> update(Context& context, const Arguments& args) {
  const auto id = id_in(args);
  if (!id) return id.error();
  auto set = fields_from(Kind::schedule, args);
  if (!set) return set.error();
  for (const auto& field : args.list("unset")) (*set)[field] = nullptr;
  if (set->empty()) return Error{ErrorCode::kUsage, "schedule update: no field to change was given"};
  return change(context, "update", {{"id", *id}, {"set", *set}}, "updated");
}

Result<int> remove(Context& context, const Arguments& args) {
  const auto id = id_in(args);
  if (!id) return id.error();
  const auto may = confirmed({fmt::format("schedule {}", *id)}, args.has("yes"));
  if (!may) return may.error();
  if (!*may) {
    context.notice("nothing was removed");
    return 0;
  }
  return change(context, "remove", {{"id", *id}}, "removed");
}

Result<int> set_enabled(Context& context, const Arguments& args, bool on) {
  const auto id = id_in(args);
  if (!id) return id.error();
  return change(context, on ? "enable" : "disable", {{"id", *id}}, on ? "enabled" : "disabled");
}

Result<Json> next_request(Context& context, const Arguments& args) {
  Json request = Json::object();
  if (args.has("GROUP") == args.has("cron")) {
    return Error{ErrorCode::kUsage, "schedule next: name a group, or give an expression with --cron",
                 "pipekit-ctl schedule next --cron '0 2 * * *' --timezone Europe/Berlin"};
  }
  if (args.has("GROUP")) request["group"] = args.text("GROUP");
  if (args.has("cron")) request["cron"] = args.text("cron");
  if (args.has("timezone")) request["timezone"] = args.text("timezone");
  if (const auto count = args.integer("count")) request["count"] = *count;
  if (args.has("from")) {
    const auto from = parse_since(args.text("from"), context.clock.wall());
    if (!from) return from.error();
    request["from_ms"] = to_ms(*from);
  }
  return request;
}

Result<int> next(Context& context, const Arguments& args) {
  auto request = next_request(context, args);
  if (!request) return request.error();
  const auto times = context.call("schedule.next", std::move(*request));
  if (!times) return times.error();
  if (context.config.format == Format::json || context.config.format == Format::yaml) {
    context.print_object({}, *times);
    return 0;
  }
  if (context.config.format == Format::csv) {
    Json rows = Json::array();
    for (const auto& time : *times) rows.push_back({{"fires_at", time}});
    context.out.write_data(render_csv({"fires_at"}, rows));
    return 0;
  }
  for (const auto& time : *times) context.out.write(printable(plain_text(time)) + "\n");
  if (times->empty()) context.notice("it never fires: it has no enabled schedule");
  return 0;
}

Result<int> audit(Context& context, const Arguments& args) {
  Json request = Json::object();
  if (args.has("group")) request["group"] = args.text("group");
  if (args.has("id")) request["id"] = *args.integer("id");
  if (const auto limit = args.integer("limit")) request["limit"] = *limit;
  return list(context, "schedule.audit", std::move(request),
              {{text_column("SCHEDULE", "schedule_id", 3), text_column("GROUP", "group_name", 0),
                clock_column("SCHEDULED", "nominal_at", 0), number_column("TIMES", "count", 2),
                text_column("OUTCOME", "outcome", 0), text_column("GROUP RUN", "group_run_id", 1),
                text_column("REASON", "reason", 4)},
               {"schedule_id", "group_name", "nominal_at", "until_at", "count", "outcome", "reason", "group_run_id"},
               "nothing has been scheduled to run yet",
               "no matching scheduled times"});
}

}  // namespace

std::vector<Verb> schedule_verbs() {
  auto change_flags = definition_flags(Kind::schedule);
  change_flags.push_back({"unset", Flag::Type::list, "reset a field to its default", "FIELD"});
  const Flag group = {"group", Flag::Type::text, "only of this group", "GROUP"};
  return {
      {"schedule list", "List schedules.", {}, {group}, {"pipekit-ctl schedule list --group nightly"}, "", list_all},
      {"schedule add",
       "Run a group on a schedule.",
       {kGroup},
       definition_flags(Kind::schedule),
       {"pipekit-ctl schedule add nightly --cron-expr '0 20 2 * * *' --timezone America/New_York",
        "pipekit-ctl schedule add nightly --every-s 3600"},
       "Only future times fire.",
       add},
      {"schedule update",
       "Change a schedule.",
       {kId},
       change_flags,
       {"pipekit-ctl schedule update 3 --cron-expr '0 3 * * *'"},
       "Only future times fire.",
       update},
      {"schedule remove",
       "Remove a schedule.",
       {kId},
       {{"yes", Flag::Type::on, "remove without asking; needed where there is no terminal"}},
       {"pipekit-ctl schedule remove 3 --yes"},
       "",
       remove},
      {"schedule enable",
       "Enable a schedule. Only future times fire.",
       {kId},
       {},
       {"pipekit-ctl schedule enable 3"},
       "",
       [](Context& c, const Arguments& args) { return set_enabled(c, args, true); }},
      {"schedule disable",
       "Disable a schedule without removing it.",
       {kId},
       {},
       {"pipekit-ctl schedule disable 3"},
       "",
       [](Context& c, const Arguments& args) { return set_enabled(c, args, false); }},
      {"schedule next",
       "Show the next times at which a group or an expression fires.",
       {{"GROUP", "the group's name or ID", false}},
       {{"cron", Flag::Type::text, "a cron expression of five or six fields, instead of a group", "EXPR"},
        {"timezone", Flag::Type::text, "the time zone of the expression (UTC)", "ZONE"},
        {"from", Flag::Type::text, "only times after this one (now)", "TIME"},
        {"count", Flag::Type::count, "show N times (5)", "N"}},
       {"pipekit-ctl schedule next nightly",
        "pipekit-ctl schedule next --cron '0 20 2 * * *' --timezone America/New_York --from 2026-03-07T00:00:00Z"},
       "",
       next},
      {"schedule audit",
       "Show what became of each scheduled time: fired, skipped, missed or overlap, and why.",
       {},
       {group,
        {"id", Flag::Type::count, "only of this schedule", "ID"},
        {"limit", Flag::Type::count, "show at most N (50)", "N"}},
       {"pipekit-ctl schedule audit --group nightly"},
       "",
       audit},
  };
}

}  // namespace pipekit::ctl
