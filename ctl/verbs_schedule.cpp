// Schedules: when groups run by themselves, and what became of each time.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/definition_flags.h"
#include "ctl/human.h"
#include "ctl/status_screen.h"
#include "ctl/verbs_parts.h"

namespace pipekit::ctl {
namespace {

const Positional kId = {"ID", "its id, as schedule list shows it"};
const Positional kGroup = {"GROUP", "its name or id"};

Listing schedule_listing() {
  const Column every = {"EVERY",
                        [](const Json& row, const Style&) {
                          const auto seconds = integer_in(row, "every_s").value_or(0);
                          return Cell{seconds == 0 ? "" : duration_text(std::chrono::seconds{seconds})};
                        },
                        Align::left, 1};
  return {{text_column("ID", "id", 0), text_column("GROUP", "group", 0), text_column("CRON", "cron_expr", 0), every,
           text_column("ZONE", "timezone", 2), text_column("MISFIRE", "misfire", 5),
           text_column("ENABLED", "enabled", 3), time_column("LAST FIRED", "last_fired_at", 4), next_fire_column()},
          {"id", "group", "kind", "cron_expr", "every_s", "timezone", "misfire", "enabled", "last_fired_at",
           "next_fire_at", "does_not_fire"},
          "no schedules; pipekit-ctl schedule add GROUP --cron-expr '0 2 * * *' makes one"};
}

Result<int64_t> id_in(const Arguments& args) {
  if (const auto id = args.integer("ID")) return *id;
  return Error{ErrorCode::kUsage, fmt::format("a schedule is named by its id, not \"{}\"", args.text("ID")),
               "see the ids with: pipekit-ctl schedule list"};
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
  if (set->empty()) return Error{ErrorCode::kUsage, "schedule update: nothing to change was given"};
  return change(context, "update", {{"id", *id}, {"set", *set}}, "updated");
}

Result<int> remove(Context& context, const Arguments& args) {
  const auto id = id_in(args);
  if (!id) return id.error();
  if (!confirmed(fmt::format("remove schedule {}?", *id), args.has("yes"))) {
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
  for (const auto& time : *times) context.out.write(plain_text(time) + "\n");
  if (times->empty()) context.notice("it never fires: no enabled schedule");
  return 0;
}

Result<int> audit(Context& context, const Arguments& args) {
  Json request = Json::object();
  if (args.has("group")) request["group"] = args.text("group");
  if (args.has("id")) request["id"] = *args.integer("id");
  if (const auto limit = args.integer("limit")) request["limit"] = *limit;
  return list(context, "schedule.audit", std::move(request),
              {{text_column("SCHEDULE", "schedule_id", 3), text_column("GROUP", "group_name", 0),
                text_column("NOMINAL", "nominal_at", 0), number_column("TIMES", "count", 2),
                text_column("OUTCOME", "outcome", 0), text_column("GROUP RUN", "group_run_id", 1),
                text_column("REASON", "reason", 4)},
               {"schedule_id", "group_name", "nominal_at", "until_at", "count", "outcome", "reason", "group_run_id"},
               "no nominal time has come yet"});
}

}  // namespace

std::vector<Verb> schedule_verbs() {
  auto change_flags = definition_flags(Kind::schedule);
  change_flags.push_back({"unset", Flag::Type::list, "back to the default", "FIELD"});
  const Flag group = {"group", Flag::Type::text, "only of this group", "GROUP"};
  return {
      {"schedule list",
       "When groups run by themselves.",
       {},
       {group},
       {"pipekit-ctl schedule list --group nightly"},
       "",
       list_all},
      {"schedule add",
       "Let a group run by itself.",
       {kGroup},
       definition_flags(Kind::schedule),
       {"pipekit-ctl schedule add nightly --cron-expr '0 20 2 * * *' --timezone America/New_York",
        "pipekit-ctl schedule add nightly --every-s 3600"},
       "It looks only forward: no time that has passed fires.",
       add},
      {"schedule update",
       "Change a schedule.",
       {kId},
       change_flags,
       {"pipekit-ctl schedule update 3 --cron-expr '0 3 * * *'"},
       "It looks only forward: no time that has passed fires.",
       update},
      {"schedule remove",
       "Remove a schedule.",
       {kId},
       {{"yes", Flag::Type::on, "do not ask"}},
       {"pipekit-ctl schedule remove 3"},
       "",
       remove},
      {"schedule enable",
       "Let it fire again, from now on.",
       {kId},
       {},
       {"pipekit-ctl schedule enable 3"},
       "",
       [](Context& c, const Arguments& args) { return set_enabled(c, args, true); }},
      {"schedule disable",
       "Keep it, but do not let it fire.",
       {kId},
       {},
       {"pipekit-ctl schedule disable 3"},
       "",
       [](Context& c, const Arguments& args) { return set_enabled(c, args, false); }},
      {"schedule next",
       "The next times at which a group, or an expression, fires.",
       {{"GROUP", "its name or id", false}},
       {{"cron", Flag::Type::text, "an expression of five or six fields instead", "EXPR"},
        {"timezone", Flag::Type::text, "of the expression (UTC)", "ZONE"},
        {"from", Flag::Type::text, "after this time, exclusive (now)", "TIME"},
        {"count", Flag::Type::count, "how many (5)", "N"}},
       {"pipekit-ctl schedule next nightly",
        "pipekit-ctl schedule next --cron '0 20 2 * * *' --timezone America/New_York --from 2026-03-07T00:00:00Z"},
       "",
       next},
      {"schedule audit",
       "What became of each nominal time: fired, skipped, missed or overlap, and why.",
       {},
       {group,
        {"id", Flag::Type::count, "only of this schedule", "ID"},
        {"limit", Flag::Type::count, "how many (50)", "N"}},
       {"pipekit-ctl schedule audit --group nightly"},
       "",
       audit},
  };
}

}  // namespace pipekit::ctl
