#include "broker/commands.h"

#include <fmt/format.h>

#include <set>

#include "broker/access.h"
#include "broker/answered_requests.h"
#include "broker/definitions/apply.h"
#include "broker/definitions/definitions.h"
#include "broker/store/worker_names.h"
#include "broker/store/workers.h"
#include "broker/why.h"

namespace pipekit::commands {
namespace {

const Json& args(const Context& c) { return c.request.args; }

Json argument(const Context& c, const char* name) {
  const auto found = args(c).find(name);
  return found == args(c).end() ? Json() : *found;
}

bool flag(const Context& c, const char* name) {
  const auto value = argument(c, name);
  return value.is_boolean() && value.get<bool>();
}

std::string text(const Context& c, const char* name, const char* otherwise = "") {
  const auto value = argument(c, name);
  return value.is_string() ? value.get<std::string>() : otherwise;
}

void changed(Context& c, Kind kind, const std::string& name, const char* action) {
  c.modules.invalidate();
  c.schedules_changed = c.schedules_changed || kind == Kind::group;
  Event event;
  event.kind = "definition.changed";
  event.fields = {{"object", to_string(kind)}, {"name", name}, {"action", action}, {"by", c.request.user}};
  c.turn.emit(std::move(event));
}

void audit(Context& c, const std::string& object, const Json& before, const Json& after) {
  commands::audit(c.db, c.turn.wall, c.request, object, before, after);
}

std::string name_in(const Json& object) { return object.value("name", ""); }

// The current object; null if there is none, which the command itself will report.
Json as_it_is(const Context& c, Kind kind, const Json& name) {
  auto object = definitions::show(c.db, kind, name);
  return object ? std::move(*object) : Json();
}

template <Kind kind>
Result<Json> add(Context& c) {
  auto object = definitions::add(c.db, kind, args(c), c.turn.wall);
  if (!object) return object;
  changed(c, kind, name_in(*object), "add");
  audit(c, name_in(*object), nullptr, *object);
  return object;
}

template <Kind kind>
Result<Json> update(Context& c) {
  const auto before = definitions::show(c.db, kind, argument(c, "name"));
  if (!before) return before.error();
  auto object = definitions::update(c.db, kind, argument(c, "name"), argument(c, "set"), c.turn.wall);
  if (!object) return object;
  changed(c, kind, name_in(*object), "update");
  audit(c, name_in(*before), *before, *object);
  return object;
}

template <Kind kind>
Result<Json> remove(Context& c) {
  const auto before = definitions::show(c.db, kind, argument(c, "name"));
  if (!before) return before.error();
  auto removed = definitions::remove(c.db, kind, argument(c, "name"));
  if (!removed) return removed;
  changed(c, kind, name_in(*before), "remove");
  audit(c, name_in(*before), *before, nullptr);
  return removed;
}

template <bool on>
Result<Json> set_enabled(Context& c) {
  const auto before = as_it_is(c, Kind::module, argument(c, "name"));
  auto object = definitions::set_enabled(c.db, argument(c, "name"), on, c.turn.wall);
  if (!object) return object;
  changed(c, Kind::module, name_in(*object), on ? "enable" : "disable");
  audit(c, name_in(*object), {{"enabled", before.value("enabled", !on)}}, {{"enabled", on}});
  return object;
}

// Arguments of a part are its fields beside `module`.
Json without(Json object, const char* key) {
  object.erase(key);
  return object;
}

// A change to a part of a definition is a change to the definition: the audit has it before and after.
template <class Change>
Result<Json> change_within(Context& c, Kind kind, const Json& owner, Change change) {
  const auto before = as_it_is(c, kind, owner);
  Result<Json> result = change();
  if (!result) return result;
  const auto after = as_it_is(c, kind, owner);
  changed(c, kind, name_in(after), "update");
  audit(c, name_in(after), before, after);
  return result;
}

template <Kind kind>
Result<Json> add_part(Context& c) {
  const auto module = argument(c, "module");
  return change_within(c, Kind::module, module, [&] {
    return definitions::add_part(c.db, kind, module, without(args(c), "module"), c.turn.wall);
  });
}

template <Kind kind>
Result<Json> update_part(Context& c) {
  const auto module = argument(c, "module");
  return change_within(c, Kind::module, module, [&] {
    return definitions::update_part(c.db, kind, module, argument(c, "name"), argument(c, "set"), c.turn.wall);
  });
}

template <Kind kind>
Result<Json> remove_part(Context& c) {
  const auto module = argument(c, "module");
  return change_within(c, Kind::module, module,
                       [&] { return definitions::remove_part(c.db, kind, module, argument(c, "name"), c.turn.wall); });
}

Result<Json> add_member(Context& c) {
  const auto order = argument(c, "run_order");
  const auto place = order.is_number_integer() ? std::optional(order.get<int64_t>()) : std::nullopt;
  const auto group = argument(c, "group");
  return change_within(c, Kind::group, group,
                       [&] { return definitions::add_member(c.db, group, argument(c, "module"), place); });
}

Result<Json> remove_member(Context& c) {
  const auto group = argument(c, "group");
  return change_within(c, Kind::group, group,
                       [&] { return definitions::remove_member(c.db, group, argument(c, "module")); });
}

// A schedule is named by its id alone.
Result<int64_t> group_of_schedule(Context& c) {
  const auto id = argument(c, "id");
  const auto group = id.is_number_integer()
                         ? c.db.value<int64_t>("SELECT group_id FROM schedule WHERE id = ?", id.get<int64_t>())
                         : std::nullopt;
  if (group) return *group;
  return Error{ErrorCode::kNotFound, fmt::format("there is no schedule {}", id.dump()),
               "list them with: pipekit-ctl schedule list"};
}

Result<Json> schedule_add(Context& c) {
  const auto group = argument(c, "group");
  return change_within(c, Kind::group, group, [&] {
    return definitions::add_part(c.db, Kind::schedule, group, without(args(c), "group"), c.turn.wall);
  });
}

Result<Json> schedule_set(Context& c, const Json& set) {
  const auto group = group_of_schedule(c);
  if (!group) return group.error();
  return change_within(c, Kind::group, *group, [&] {
    return definitions::update_part(c.db, Kind::schedule, *group, argument(c, "id"), set, c.turn.wall);
  });
}

Result<Json> schedule_update(Context& c) { return schedule_set(c, argument(c, "set")); }

template <bool on>
Result<Json> schedule_set_enabled(Context& c) {
  return schedule_set(c, {{"enabled", on}});
}

Result<Json> schedule_remove(Context& c) {
  const auto group = group_of_schedule(c);
  if (!group) return group.error();
  return change_within(c, Kind::group, *group, [&] {
    return definitions::remove_part(c.db, Kind::schedule, *group, argument(c, "id"), c.turn.wall);
  });
}

Result<Json> settings_set(Context& c) {
  const auto before = get_setting(c.db, text(c, "key"));
  if (!before) return before;
  auto setting = set_setting(c.db, text(c, "key"), argument(c, "value"));
  if (!setting) return setting;
  c.settings = load_settings(c.db);
  audit(c, text(c, "key"), {{"value", (*before)["value"]}}, {{"value", (*setting)["value"]}});
  return setting;
}

Result<std::map<std::string, std::string>> overrides(const Context& c, const ModuleSnapshot& definition) {
  std::map<std::string, std::string> set;
  size_t bytes = 0;
  const auto given = argument(c, "set");
  if (given.is_null()) return set;
  if (!given.is_object()) return Error{ErrorCode::kInvalid, "set: expected names with their values"};
  for (const auto& [key, value] : given.items()) {
    const std::string name = key;
    const bool known = std::ranges::any_of(definition.watermarks, [&](const auto& w) { return w.name == name; });
    if (!known) {
      return Error{ErrorCode::kInvalid, fmt::format("--set {}: module {} has no such watermark", name, definition.name),
                   fmt::format("see them with: pipekit-ctl watermark list --module {}", definition.name)};
    }
    set[name] = value.is_string() ? value.get<std::string>() : value.dump();
    bytes += set[name].size();
  }
  if (bytes > (1U << 20U)) return Error{ErrorCode::kInvalid, "--set: the values are longer than 1 MiB together"};
  return set;
}

Result<Json> run(Context& c) {
  const auto module = c.modules.find(argument(c, "module"));
  if (!module) return module.error();
  const auto& name = module->definition->name;
  if (!module->enabled) {
    return Error{ErrorCode::kInvalid, fmt::format("module {} is disabled", name),
                 fmt::format("enable it with: pipekit-ctl module enable {}", name)};
  }
  auto set = overrides(c, *module->definition);
  if (!set) return set.error();
  Submission submission;
  submission.module = *module;
  submission.dry_run = flag(c, "dry_run");
  submission.set = std::move(*set);
  submission.triggered_by = text(c, "triggered_by", "manual");
  submission.client = AnsweredRequests::bound(c.owner, c.request.client);
  submission.request_no = c.request.number;
  const auto submitted = c.runs.submit(c.turn, submission);
  if (!submitted) return submitted.error();
  audit(c, name, nullptr, {{"run_id", submitted->run.value}});
  return Json{{"run_id", submitted->run.value}, {"seq", submitted->seq}};
}

Result<Json> run_group(Context& c) {
  const auto started = c.groups.start(c.turn, argument(c, "group"), flag(c, "dry_run"), "manual");
  if (!started) return started.error();
  audit(c, name_in(as_it_is(c, Kind::group, argument(c, "group"))), nullptr,
        {{"group_run_id", started->group_run.value}});
  return Json{{"group_run_id", started->group_run.value}, {"seq", started->seq}};
}

Result<std::vector<RunId>> runs_to_cancel(Context& c) {
  if (const auto id = argument(c, "run_id"); id.is_number_integer()) {
    const RunId run{id.get<int64_t>()};
    const auto status = store::runs::status_of(c.db, run);
    if (!status) {
      return Error{ErrorCode::kNotFound, fmt::format("there is no run {}", run.value),
                   "list them with: pipekit-ctl runs list"};
    }
    if (*status != "queued" && *status != "running") {
      return Error{ErrorCode::kInvalid, fmt::format("run {} has ended already: {}", run.value, *status)};
    }
    return std::vector{run};
  }
  if (args(c).contains("module")) {
    const auto module = definitions::resolve(c.db, Kind::module, argument(c, "module"));
    if (!module) return module.error();
    return c.runs.live_runs_of(ModuleId{*module}, std::nullopt);
  }
  return Error{ErrorCode::kInvalid, "no run was given to cancel", "give a run id, --module NAME or --group NAME"};
}

// {run_id, module, status} of each; the statuses are what a cancel changes.
Json as_they_are(Context& c, const std::vector<RunId>& runs) {
  auto list = Json::array();
  for (const auto run : runs) {
    auto row = c.db.query("SELECT module_name, status FROM run_log WHERE id = ?", run);
    if (row.next()) {
      list.push_back({{"run_id", run.value}, {"module", row.get<std::string>(0)}, {"status", row.get<std::string>(1)}});
    }
  }
  return list;
}

Result<Json> cancel_group(Context& c) {
  const auto known = definitions::show(c.db, Kind::group, argument(c, "group"));
  if (!known) return known.error();
  const auto live = c.groups.live_run_of(argument(c, "group"));
  auto ids = Json::array();
  if (live) {
    const auto runs = c.runs.live_runs_of(std::nullopt, *live);
    for (const auto run : runs) ids.push_back(run.value);
    const auto before = as_they_are(c, runs);
    c.groups.cancel(c.turn, *live);
    audit(c, name_in(*known), before, {{"cancelled", ids}, {"group_run_id", live->value}});
  }
  return Json{{"cancelled", ids}, {"group_run_id", live ? Json(live->value) : Json()}};
}

Result<Json> cancel(Context& c) {
  if (args(c).contains("group")) return cancel_group(c);
  const auto runs = runs_to_cancel(c);
  if (!runs) return runs.error();
  const auto before = as_they_are(c, *runs);
  auto ids = Json::array();
  for (const auto run : *runs) {
    if (c.runs.cancel(c.turn, run)) ids.push_back(run.value);
  }
  if (!ids.empty()) audit(c, before[0].value("module", ""), before, {{"cancelled", ids}});
  return Json{{"cancelled", ids}};
}

Result<Json> why(Context& c) {
  c.discard = true;
  Why why(c.db, c.modules, c.runs, c.turn.now, c.turn.wall);
  if (const auto id = argument(c, "run_id"); id.is_number_integer()) return why.of_run(RunId{id.get<int64_t>()});
  if (const auto id = argument(c, "group_run_id"); id.is_number_integer()) {
    return why.of_group_run(GroupRunId{id.get<int64_t>()});
  }
  return why.of_module(argument(c, "module"));
}

// The drain applies to the name, whichever process uses it, until an operator resumes it.
template <bool drained>
Result<Json> set_drained(Context& c) {
  const auto name = text(c, "name");
  const auto before = store::workers::drain(c.db, name, drained);
  if (!before) {
    return Error{ErrorCode::kNotFound, fmt::format("there is no worker {}", name),
                 "see them with: pipekit-ctl workers list"};
  }
  const Json after = {
      {"name", name}, {"drained", drained}, {"busy", c.runs.busy_slots(name)}, {"seq", c.turn.next_seq() - 1}};
  if (*before != drained) {
    c.workers_changed = true;
    Event event;
    event.kind = drained ? "worker.draining" : "worker.resumed";
    event.worker = name;
    event.fields = {{"by", c.request.user}};
    c.turn.emit(std::move(event));
    audit(c, name, {{"drained", *before}}, {{"drained", drained}});
  }
  return after;
}

// The next worker that uses the name has it.
Result<Json> workers_release(Context& c) {
  const auto name = text(c, "name");
  if (store::workers::is_connected(c.db, name)) {
    return Error{ErrorCode::kInUse, fmt::format("worker {} is connected, or its lease has not ended", name),
                 "stop it first; to revoke its key: pipekit-ctl keys revoke"};
  }
  const auto owner = store::worker_names::release(c.db, name);
  if (!owner) {
    return Error{ErrorCode::kNotFound, fmt::format("the worker name {} belongs to nobody", name),
                 "see the workers with: pipekit-ctl workers list"};
  }
  audit(c, name, {{"identity", *owner}}, nullptr);
  return Json{{"name", name}, {"identity", *owner}};
}

Result<Json> keys_allow(Context& c) {
  auto key = allow_key(c.db, args(c), c.request.user, c.turn.wall);
  if (!key) return key;
  c.keys_changed = true;
  audit(c, name_in(*key), nullptr, *key);
  return key;
}

Result<Json> keys_revoke(Context& c) {
  auto key = revoke_key(c.db, text(c, "name"));
  if (!key) return key;
  c.keys_changed = true;
  audit(c, name_in(*key), *key, nullptr);
  return key;
}

// A row of the audit is for people: what is longer than this is not kept.
constexpr size_t kMostOfAudit = size_t{1} << 20U;

std::string text_for_audit(const Json& json) {
  auto text = json.dump();
  return text.size() <= kMostOfAudit ? text : Json{{"left_out_bytes", text.size()}}.dump();
}

// Of two lists, the entries that the other does not have.
void keep_what_differs_of_lists(Json& before, Json& after) {
  const auto texts = [](const Json& list) {
    std::set<std::string> all;
    for (const auto& one : list) all.insert(one.dump());
    return all;
  };
  const auto drop = [](Json& list, const std::set<std::string>& others) {
    Json rest = Json::array();
    for (auto& one : list) {
      if (!others.contains(one.dump())) rest.push_back(std::move(one));
    }
    list = std::move(rest);
  };
  const auto in_before = texts(before);
  const auto in_after = texts(after);
  drop(before, in_after);
  drop(after, in_before);
}

// A change of one field does not store the whole object twice. Name and id stay.
void keep_what_differs(Json& before, Json& after) {
  if (!before.is_object() || !after.is_object()) return;
  for (auto it = before.begin(); it != before.end();) {
    const auto other = after.find(it.key());
    if (other == after.end() || it.key() == "name" || it.key() == "id") {
      ++it;
    } else if (*it == *other) {
      after.erase(other);
      it = before.erase(it);
    } else {
      if (it->is_array() && other->is_array()) keep_what_differs_of_lists(*it, *other);
      ++it;
    }
  }
}

// What a document changed, without what it left as it was. Beyond the bound only what was changed, not how.
Json changes_for_audit(const Json& changes) {
  Json kept = Json::array();
  size_t bytes = 0;
  for (const auto& change : changes) {
    if (change.value("action", "") == "unchanged") continue;
    bytes += change.at("fields").dump().size();
    kept.push_back(change);
    if (bytes > kMostOfAudit / 2) kept.back().erase("fields");
  }
  if (kept.dump().size() <= kMostOfAudit) return kept;
  std::map<std::string, int64_t> counts;
  for (const auto& change : kept) ++counts[fmt::format("{} {}", change.value("action", ""), change.value("kind", ""))];
  return {{"counts", counts}};
}

const std::map<std::string, Handler>& table() {
  static const std::map<std::string, Handler> kTable = {
      {"driver.add", add<Kind::driver>},
      {"driver.update", update<Kind::driver>},
      {"driver.remove", remove<Kind::driver>},
      {"connection.add", add<Kind::connection>},
      {"connection.update", update<Kind::connection>},
      {"connection.remove", remove<Kind::connection>},
      {"module.add", add<Kind::module>},
      {"module.update", update<Kind::module>},
      {"module.remove", remove<Kind::module>},
      {"module.enable", set_enabled<true>},
      {"module.disable", set_enabled<false>},
      {"group.add", add<Kind::group>},
      {"group.update", update<Kind::group>},
      {"group.remove", remove<Kind::group>},
      {"group.add_member", add_member},
      {"group.remove_member", remove_member},
      {"watermark.add", add_part<Kind::watermark>},
      {"watermark.update", update_part<Kind::watermark>},
      {"watermark.remove", remove_part<Kind::watermark>},
      {"hook.add", add_part<Kind::hook>},
      {"hook.update", update_part<Kind::hook>},
      {"hook.remove", remove_part<Kind::hook>},
      {"schedule.add", schedule_add},
      {"schedule.update", schedule_update},
      {"schedule.remove", schedule_remove},
      {"schedule.enable", schedule_set_enabled<true>},
      {"schedule.disable", schedule_set_enabled<false>},
      {"settings.set", settings_set},
      {"workers.drain", set_drained<true>},
      {"workers.resume", set_drained<false>},
      {"workers.release", workers_release},
      {"keys.allow", keys_allow},
      {"keys.revoke", keys_revoke},
      {"run", run},
      {"run_group", run_group},
      {"cancel", cancel},
      {"why", why},
  };
  return kTable;
}

}  // namespace

void audit(store::Database& db, WallTime at, const Request& request, const std::string& object,
           const Json& whole_before, const Json& whole_after) {
  auto before = whole_before;
  auto after = whole_after;
  keep_what_differs(before, after);
  const auto text_of = [](const Json& json) {
    return json.is_null() ? std::optional<std::string>() : text_for_audit(json);
  };
  db.run("INSERT INTO audit (at, who, verb, object, args_json, before_json, after_json) VALUES (?, ?, ?, ?, ?, ?, ?)",
         to_ms(at), request.user, request.verb, object, text_for_audit(request.args), text_of(before), text_of(after));
}

Result<Json> apply(Context& c, const definitions::Plan& plan) {
  if (plan.changed) {
    definitions::carry_out(c.db, plan, c.turn.wall);
    for (const auto& change : plan.changes) {
      const auto action = change.value("action", "");
      const auto kind = kind_from(change.value("kind", ""));
      if (action != "unchanged" && kind) changed(c, *kind, change.value("name", ""), action.c_str());
    }
    audit(c, "", nullptr, changes_for_audit(plan.changes));
  }
  return Json{{"changes", plan.changes}, {"applied", true}};
}

Handler find(const std::string& verb) {
  const auto found = table().find(verb);
  return found == table().end() ? nullptr : found->second;
}

std::vector<std::string> verbs() {
  std::vector<std::string> names;
  for (const auto& [name, handler] : table()) names.push_back(name);
  return names;
}

}  // namespace pipekit::commands
