#include "broker/queries.h"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <map>
#include <set>

#include "broker/access.h"
#include "broker/definitions/apply.h"
#include "broker/definitions/definitions.h"
#include "broker/next_fire.h"
#include "broker/run_list.h"
#include "broker/schedule.h"
#include "broker/settings.h"
#include "broker/store/events.h"
#include "shared/clock.h"

namespace pipekit::queries {
namespace {

using store::Database;
using store::Rows;

constexpr int64_t kScanBytes = int64_t{1024} * 1024;
constexpr int64_t kMaxRows = 1000;
constexpr size_t kLiveLogHead = size_t{512} * 1024;
constexpr size_t kLiveLogTail = size_t{4} << 20U;  // what the default settings keep of a log fits whole

constexpr auto kRunColumns =
    "r.id, r.module_id, r.module_name, r.group_run_id, r.attempts AS attempt, a.worker, r.queued_at, r.started_at,"
    " r.finished_at, r.row_count, r.status, r.error, r.error_code, r.dry_run, r.watermark_values_json, r.triggered_by,"
    " r.hooks_failed";

bool is_time(const std::string& name) { return name.ends_with("_at"); }
bool is_bool(const std::string& name) {
  return name == "dry_run" || name == "stop_on_failure" || name == "reconcile" || name == "merging";
}
// Empty means "none" in the store, which has no use for two kinds of nothing.
bool is_optional_text(const std::string& name) {
  return name == "error" || name == "error_code" || name == "worker" || name == "outcome" || name == "note";
}

Json as_json(const Rows& rows, int column) {
  const auto name = rows.name(column);
  if (rows.is_null(column)) return nullptr;
  if (is_time(name)) return to_iso(from_ms(rows.get<int64_t>(column)));
  if (is_bool(name)) return rows.get<bool>(column);
  auto value = rows.json(column);
  if (is_optional_text(name) && value == "") return nullptr;
  return value;
}

Json row_object(const Rows& rows) {
  auto object = Json::object();
  for (int i = 0; i < rows.columns(); ++i) object[rows.name(i)] = as_json(rows, i);
  return object;
}

Json all(Rows rows) {
  auto list = Json::array();
  while (rows.next()) list.push_back(row_object(rows));
  return list;
}

std::optional<int64_t> integer(const Json& args, const char* name) {
  const auto found = args.find(name);
  if (found == args.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

std::string text(const Json& args, const char* name) {
  const auto found = args.find(name);
  return found != args.end() && found->is_string() ? found->get<std::string>() : "";
}

Json ref(const Json& args, const char* name) {
  const auto found = args.find(name);
  return found == args.end() ? Json() : *found;
}

int64_t limit(const Json& args) { return std::clamp<int64_t>(integer(args, "limit").value_or(50), 1, kMaxRows); }

Result<int64_t> required_id(const Json& args) {
  const auto id = integer(args, "id");
  if (!id) return Error{ErrorCode::kInvalid, "an id is needed: a whole number"};
  return *id;
}

Result<Json> runs_list(Database& db, const ReadJob&, const Json& args) {
  run_list::Filter filter;
  if (args.contains("module") && !args["module"].is_null()) {
    auto modules = run_list::modules_named(db, args["module"]);
    if (!modules) return modules.error();
    filter.modules = std::move(*modules);
  }
  filter.status = text(args, "status");
  if (auto known = run_list::check_status(filter.status); !known) return known.error();
  if (const auto since = integer(args, "since_ms"); since && *since > 0) filter.since_ms = since;
  filter.before = integer(args, "before");
  filter.limit = limit(args);
  auto list = Json::array();
  for (const auto id : run_list::find(db, filter)) {
    auto rows = db.query(
        fmt::format("SELECT {} FROM run_log r LEFT JOIN attempt a ON a.id = r.last_epoch WHERE r.id = ?", kRunColumns),
        id);
    if (rows.next()) list.push_back(row_object(rows));
  }
  return list;
}

Error no_run(int64_t id) {
  return {ErrorCode::kNotFound, fmt::format("there is no run {}", id), "list them with: pipekit-ctl runs list"};
}

Json attempts_of(Database& db, std::optional<int64_t> epoch) {
  auto list = Json::array();
  while (epoch) {
    auto rows = db.query(
        "SELECT id AS epoch, number, reconcile, worker, state, status, outcome, error, row_count, assigned_at,"
        " started_at, ended_at, previous, steps_json, assigned_at AS assigned_ms, ended_at AS ended_ms FROM attempt "
        "WHERE id = ?",
        *epoch);
    if (!rows.next()) break;
    auto object = row_object(rows);
    epoch = object["previous"].is_null() ? std::nullopt : std::optional(object["previous"].get<int64_t>());
    object["steps"] = Json::parse(object["steps_json"].get<std::string>());
    object.erase("previous");
    object.erase("steps_json");
    list.insert(list.begin(), std::move(object));
  }
  return list;
}

// Before an attempt's own steps, how long the run waited for it: since it was queued, or since the attempt before.
void add_queue_step(Json& attempts, int64_t queued_at) {
  auto since = queued_at;
  for (auto& attempt : attempts) {
    const auto assigned = attempt["assigned_ms"].get<int64_t>();
    const Json wait = {{"name", "queue"},
                       {"started_at", to_iso(from_ms(since))},
                       {"duration_ms", std::max<int64_t>(assigned - since, 0)}};
    attempt["steps"].insert(attempt["steps"].begin(), wait);
    if (!attempt["ended_ms"].is_null()) since = attempt["ended_ms"];
    attempt.erase("assigned_ms");
    attempt.erase("ended_ms");
  }
}

Json log_lines(Database& db, int64_t run, int64_t after, int64_t bytes, int64_t& next) {
  auto lines = Json::array();
  for (const auto& chunk : store::events::scan_log(db, RunId{run}, after, bytes)) {
    next = chunk.last;
    if (const auto* log = std::get_if<LogChunk>(&chunk.chunk)) {
      for (size_t i = 0; i < log->lines.size(); ++i) {
        const auto seq = log->first_seq + static_cast<int64_t>(i);
        if (seq <= after) continue;
        lines.push_back({{"seq", seq},
                         {"ts", to_iso(from_ms(log->ts))},
                         {"stream", log->lines[i].err ? "stderr" : "stdout"},
                         {"line", log->lines[i].text}});
      }
      continue;
    }
    lines.push_back({{"seq", chunk.first},
                     {"ts", nullptr},
                     {"stream", "elided"},
                     {"line", fmt::format("… {} lines elided …", chunk.last - chunk.first + 1)}});
  }
  return lines;
}

// Of a log too long for one answer: its beginning and its end.
std::string live_log(Database& db, int64_t run) {
  std::string head;
  std::string tail;
  bool cut = false;
  for (int64_t after = 0, next = 0;; after = next) {
    for (const auto& line : log_lines(db, run, after, kScanBytes, next)) {
      auto& text = tail.empty() && head.size() < kLiveLogHead ? head : tail;
      text.append(line["line"].get_ref<const std::string&>()).append("\n");
    }
    if (next == after) break;
    if (tail.size() <= kLiveLogTail) continue;
    tail.erase(0, tail.find('\n', tail.size() - kLiveLogTail) + 1);
    cut = true;
  }
  if (cut) head += fmt::format("… left out: pipekit-ctl runs logs {} shows it …\n", run);
  return head + tail;
}

Result<Json> runs_show(Database& db, const ReadJob& job, const Json& args) {
  const auto id = required_id(args);
  if (!id) return id.error();
  auto rows =
      db.query(fmt::format("SELECT {}, r.resolved_source_sql, r.merge_sql, r.jrunner_stdout, r.jrunner_stderr,"
                           " r.hook_log, r.defaulted_json, r.last_epoch, r.set_json, r.cancel_requested, r.queued_seq,"
                           " r.queued_at AS queued_ms FROM run_log"
                           " r LEFT JOIN attempt a ON a.id = r.last_epoch WHERE r.id = ?",
                           kRunColumns),
               *id);
  if (!rows.next()) return no_run(*id);
  auto run = row_object(rows);
  run["cancel_requested"] = run["cancel_requested"] == 1;
  run["set"] = Json::parse(run["set_json"].get<std::string>());
  run.erase("set_json");
  run["defaulted"] = Json::parse(run["defaulted_json"].get<std::string>());
  run.erase("defaulted_json");
  run["attempts"] =
      attempts_of(db, run["last_epoch"].is_null() ? std::nullopt : std::optional(run["last_epoch"].get<int64_t>()));
  run.erase("last_epoch");
  // A step that has begun is the worker's to tell when the attempt is over; until then the broker's memory does.
  for (auto& attempt : run["attempts"]) {
    const bool open = attempt["ended_at"].is_null() && job.live.is_object();
    if (open && job.live.value("epoch", int64_t{0}) == attempt["epoch"]) attempt["steps"] = job.live.at("steps");
  }
  add_queue_step(run["attempts"], run["queued_ms"]);
  run.erase("queued_ms");
  run["steps"] = run["attempts"].empty() ? Json::array() : run["attempts"].back()["steps"];
  run["live_log"] = live_log(db, *id);
  return run;
}

// In place of the lines that retention has removed.
Json removed_lines() {
  return {{"seq", 0},
          {"ts", nullptr},
          {"stream", "elided"},
          {"line", "… older than what is kept (settings: events_keep_days, events_keep) …"}};
}

Result<Json> runs_logs(Database& db, const ReadJob& job, const Json& args) {
  const auto id = required_id(args);
  if (!id) return id.error();
  auto run = db.query("SELECT status, queued_seq FROM run_log WHERE id = ?", *id);
  if (!run.next()) return no_run(*id);
  const auto status = run.get<std::string>(0);
  const auto after = integer(args, "after").value_or(0);
  int64_t next = after;
  auto lines = log_lines(db, *id, after, kScanBytes, next);
  const bool final = status != "queued" && status != "running";
  const bool beginning_removed = after == 0 && run.get<int64_t>(1) < store::events::first_seq(db);
  if (beginning_removed) lines.insert(lines.begin(), removed_lines());
  Json answer = {{"lines", lines}, {"next", next}, {"done", final && next == after}, {"status", status}};
  if (job.live.is_object() && !job.live.value("line", "").empty()) answer["unfinished_line"] = job.live["line"];
  return answer;
}

Result<Json> group_runs_list(Database& db, const ReadJob&, const Json& args) {
  std::optional<int64_t> group;
  if (args.contains("group") && !args["group"].is_null()) {
    const auto found = definitions::resolve(db, Kind::group, args["group"]);
    if (!found) return found.error();
    group = *found;
  }
  return all(db.query(fmt::format("SELECT id, group_id, group_name, started_at, finished_at, status, dry_run,"
                                  " triggered_by, note FROM group_run WHERE {} id < ?2 ORDER BY id DESC LIMIT ?3",
                                  group ? "group_id = ?1 AND" : "?1 IS NULL AND"),
                      group, integer(args, "before").value_or(INT64_MAX), limit(args)));
}

Result<Json> group_runs_show(Database& db, const ReadJob&, const Json& args) {
  const auto id = required_id(args);
  if (!id) return id.error();
  auto rows = db.query(
      "SELECT id, group_id, group_name, started_at, finished_at, status, dry_run, stop_on_failure, triggered_by, note"
      " FROM group_run WHERE id = ?",
      *id);
  if (!rows.next()) {
    return Error{ErrorCode::kNotFound, fmt::format("there is no group run {}", *id),
                 "list them with: pipekit-ctl group-runs list"};
  }
  auto group_run = row_object(rows);
  group_run["members"] = all(db.query(
      "SELECT m.position, m.run_order, m.module_id, m.module_name, m.run_id, coalesce(m.status, r.status, 'waiting') AS"
      " status, m.error, r.row_count, r.started_at, r.finished_at FROM group_run_member m"
      " LEFT JOIN run_log r ON r.id = m.run_id WHERE m.group_run_id = ? ORDER BY m.position",
      *id));
  return group_run;
}

FireTime now_of(const ReadJob& job) { return std::chrono::floor<std::chrono::seconds>(from_ms(job.wall_ms)); }

Result<Json> schedule_list(Database& db, const ReadJob& job, const Json& args) {
  const auto group = ref(args, "group");
  auto schedules =
      group.is_null() ? definitions::list_schedules(db) : definitions::list_parts(db, Kind::schedule, group);
  if (schedules) add_next_fire(*schedules, now_of(job));
  return schedules;
}

Result<std::vector<Schedule>> schedules_asked_for(Database& db, const Json& args) {
  std::vector<Schedule> schedules;
  const auto group = ref(args, "group");
  if (group.is_null()) {
    const auto zone = text(args, "timezone");
    auto schedule = Schedule::cron(text(args, "cron"), zone.empty() ? "UTC" : zone);
    if (!schedule) return schedule.error();
    schedules.push_back(std::move(*schedule));
    return schedules;
  }
  const auto rows = definitions::list_parts(db, Kind::schedule, group);
  if (!rows) return rows.error();
  for (const auto& row : *rows) {
    if (!row.value("enabled", false)) continue;
    auto schedule = schedule_from(row);
    if (!schedule) return schedule.error();
    schedules.push_back(std::move(*schedule));
  }
  return schedules;
}

Result<Json> schedule_next(Database& db, const ReadJob& job, const Json& args) {
  const auto schedules = schedules_asked_for(db, args);
  if (!schedules) return schedules.error();
  const auto from_ms_given = integer(args, "from_ms");
  const auto from = from_ms_given ? std::chrono::floor<std::chrono::seconds>(from_ms(*from_ms_given)) : now_of(job);
  const auto count = static_cast<size_t>(std::clamp<int64_t>(integer(args, "count").value_or(5), 1, kMaxRows));
  std::set<FireTime> times;  // two schedules at one instant start one group run
  for (const auto& schedule : *schedules) {
    for (const auto time : schedule.upcoming(from, count)) times.insert(time);
  }
  auto list = Json::array();
  for (const auto time : times) {
    if (list.size() == count) break;
    list.push_back(to_iso(WallTime{time}));
  }
  return list;
}

Result<Json> schedule_audit(Database& db, const ReadJob&, const Json& args) {
  std::optional<std::vector<int64_t>> schedules;
  if (args.contains("group") && !args["group"].is_null()) {
    const auto found = definitions::resolve(db, Kind::group, args["group"]);
    if (!found) return found.error();
    schedules.emplace();
    auto rows = db.query("SELECT id FROM schedule WHERE group_id = ?", *found);
    while (rows.next()) schedules->push_back(rows.get<int64_t>(0));
  }
  if (const auto id = integer(args, "id")) {
    const bool other = schedules && std::ranges::find(*schedules, *id) == schedules->end();
    schedules = other ? std::vector<int64_t>{} : std::vector<int64_t>{*id};
  }
  auto list = Json::array();
  for (const auto& [schedule, time] : run_list::newest_fires(db, schedules, limit(args))) {
    auto rows = db.query(
        "SELECT f.schedule_id, g.name AS group_name, f.nominal_at, f.until_at, f.count, f.outcome, f.reason,"
        " f.group_run_id FROM schedule_fire f LEFT JOIN schedule s ON s.id = f.schedule_id"
        " LEFT JOIN grp g ON g.id = s.group_id WHERE f.schedule_id = ? AND f.nominal_at = ?",
        schedule, time);
    if (rows.next()) list.push_back(row_object(rows));
  }
  return list;
}

// last_group_run_id, last_status, last_started_at, last_finished_at of each.
void add_last_runs(Database& db, Json& groups) {
  std::map<int64_t, Json> last;
  auto rows = db.query(
      "SELECT r.group_id, r.id AS last_group_run_id, r.status AS last_status, r.started_at AS last_started_at,"
      " r.finished_at AS"
      " last_finished_at FROM grp g CROSS JOIN group_run r"
      " ON r.id = (SELECT max(l.id) FROM group_run l WHERE l.group_id = g.id)");
  while (rows.next()) {
    auto row = row_object(rows);
    const auto group = row["group_id"].get<int64_t>();
    row.erase("group_id");
    last[group] = std::move(row);
  }
  for (auto& group : groups) {
    const auto found = last.find(group["id"].get<int64_t>());
    if (found != last.end()) group.update(found->second);
  }
}

// A list of modules contains their SQL only on request (args.full): that of 5,000 modules fits into no frame.
Result<Json> list_of(Database& db, Kind kind, const ReadJob& job, const Json& args) {
  auto list = definitions::list(db, kind);
  if (!list) return list;
  if (kind == Kind::module && !args.value("full", false)) {
    for (auto& module : *list) module.erase("source_query");
  }
  if (kind == Kind::group) {
    for (auto& group : *list) add_next_fire_of_group(group, now_of(job));
    add_last_runs(db, *list);
  }
  return list;
}

constexpr size_t kAuditBytes = size_t{2} << 20U;        // of a page
constexpr size_t kAuditColumnBytes = size_t{1} << 20U;  // rows of older brokers have whole documents

Json audit_column(const Rows& rows, int column) {
  if (rows.is_null(column)) return nullptr;
  const auto text = rows.get<std::string>(column);
  if (text.size() > kAuditColumnBytes) return {{"left_out_bytes", text.size()}};
  return Json::parse(text, nullptr, false);
}

// A page has as many rows as fit, and at least one. `paged`: {rows, next}, where next is the `before` of the page after
// it, or null; else a list, as clients of 0.1 read it.
Result<Json> audit_list(Database& db, const ReadJob&, const Json& args) {
  auto rows = db.query(
      "SELECT id, at, who, verb, object, args_json, before_json, after_json FROM audit WHERE (?1 = '' OR who = ?1"
      " OR substr(who, 1, length(?1) + 2) = ?1 || ' (' OR substr(who, -length(?1) - 2) = '(' || ?1 || ')')"
      " AND (?2 = '' OR verb = ?2) AND at >= ?3 AND (?4 IS NULL OR id < ?4) ORDER BY id DESC LIMIT ?5",
      text(args, "who"), text(args, "verb"), integer(args, "since_ms").value_or(0), integer(args, "before"),
      limit(args) + 1);
  auto list = Json::array();
  Json next = nullptr;
  for (size_t bytes = 0; rows.next();) {
    if (static_cast<int64_t>(list.size()) == limit(args) || bytes > kAuditBytes) {
      next = list.back()["id"];
      break;
    }
    list.push_back({{"id", rows.get<int64_t>(0)},
                    {"at", to_iso(from_ms(rows.get<int64_t>(1)))},
                    {"who", rows.get<std::string>(2)},
                    {"verb", rows.get<std::string>(3)},
                    {"object", rows.get<std::string>(4)},
                    {"args", audit_column(rows, 5)},
                    {"before", audit_column(rows, 6)},
                    {"after", audit_column(rows, 7)}});
    for (const auto* name : {"args", "before", "after"}) bytes += list.back()[name].dump().size();
  }
  if (!args.value("paged", false)) return list;
  return Json{{"rows", std::move(list)}, {"next", next}};
}

Result<Json> workers_list(Database& db, const ReadJob& job, const Json&) {
  auto workers = job.live["workers"];
  auto gone =
      all(db.query("SELECT name, state, slots, tags, host, version, joined_at, seen_at, drained FROM worker"
                   " WHERE state <> 'connected' ORDER BY name"));
  for (auto& worker : gone) {
    worker["tags"] = Json::parse(worker["tags"].get<std::string>());
    worker["busy"] = 0;
    worker["draining"] = false;
    worker["drained"] = worker["drained"] == 1;
    workers.push_back(worker);
  }
  return workers;
}

Result<Json> status(Database& db, const ReadJob& job, const Json& args) {
  auto body = job.live;
  auto workers = workers_list(db, job, args);
  if (!workers) return workers.error();
  body["workers"] = *workers;
  for (const auto kind : {Kind::module, Kind::group}) {
    auto list = list_of(db, kind, job, Json::object());
    if (!list) return list.error();
    body[kind == Kind::module ? "modules" : "groups"] = std::move(*list);
  }
  return body;
}

Result<Json> show_of(Database& db, Kind kind, const ReadJob& job, const Json& args) {
  auto object = definitions::show(db, kind, ref(args, "name"));
  if (object && kind == Kind::group) add_next_fire_of_group(*object, now_of(job));
  return object;
}

using Query = std::function<Result<Json>(Database&, const ReadJob&, const Json&)>;

const std::map<std::string, Query>& table() {
  static const auto kTable = [] {
    std::map<std::string, Query> t;
    for (const auto kind : {Kind::driver, Kind::connection, Kind::module, Kind::group}) {
      const std::string name(to_string(kind));
      t[name + ".list"] = [kind](Database& db, const ReadJob& job, const Json& args) {
        return list_of(db, kind, job, args);
      };
      t[name + ".show"] = [kind](Database& db, const ReadJob& job, const Json& args) {
        return show_of(db, kind, job, args);
      };
    }
    for (const auto kind : {Kind::watermark, Kind::hook}) {
      t[std::string(to_string(kind)) + ".list"] = [kind](Database& db, const ReadJob&, const Json& args) {
        return definitions::list_parts(db, kind, ref(args, "module"));
      };
    }
    t["schedule.list"] = schedule_list;
    t["schedule.next"] = schedule_next;
    t["schedule.audit"] = schedule_audit;
    t["export"] = [](Database& db, const ReadJob&, const Json&) -> Result<Json> {
      return definitions::export_document(db);
    };
    t["settings.list"] = [](Database& db, const ReadJob&, const Json&) -> Result<Json> { return list_settings(db); };
    t["settings.get"] = [](Database& db, const ReadJob&, const Json& args) {
      return get_setting(db, text(args, "key"));
    };
    t["keys.list"] = [](Database& db, const ReadJob&, const Json&) -> Result<Json> { return list_keys(db); };
    t["audit.list"] = audit_list;
    t["runs.list"] = runs_list;
    t["runs.show"] = runs_show;
    t["runs.logs"] = runs_logs;
    t["group_runs.list"] = group_runs_list;
    t["group_runs.show"] = group_runs_show;
    t["workers.list"] = workers_list;
    t["status"] = status;
    return t;
  }();
  return kTable;
}

// For a reader that has read up to `after` and missed what retention has removed since.
void tell_of_removed(const TailRequest& request, int64_t first, TailReply& reply) {
  const auto& kinds = request.filter.kinds;
  const bool wanted = kinds.empty() || std::ranges::find(kinds, "events.removed") != kinds.end();
  if (!wanted || request.after == 0 || request.after + 1 >= first) return;
  Event event;
  event.seq = first - 1;
  event.kind = "events.removed";
  event.fields = {{"from", request.after + 1}, {"to", first - 1}};
  reply.events.push_back(std::move(event));
}

// The first and the last event of what the filter names; 0: not known, or not there yet.
struct Span {
  int64_t first = 0;
  int64_t last = 0;
};

Span span_of(Database& db, const EventFilter& filter) {
  Span span;
  const auto read = [&](const char* sql, int64_t id) {
    auto rows = db.query(sql, id);
    if (!rows.next()) return;
    span.first = std::max(span.first, rows.get<std::optional<int64_t>>(0).value_or(0));
    const auto last = rows.get<std::optional<int64_t>>(1).value_or(0);
    if (last > 0) span.last = span.last == 0 ? last : std::min(span.last, last);
  };
  if (filter.run_id) read("SELECT queued_seq, finished_seq FROM run_log WHERE id = ?", *filter.run_id);
  if (filter.group_run_id) read("SELECT queued_seq, finished_seq FROM group_run WHERE id = ?", *filter.group_run_id);
  return span;
}

TailReply tail(Database& db, const TailRequest& request) {
  TailReply reply;
  reply.number = request.number;
  reply.last = store::events::last_seq(db);
  reply.next = std::min(request.after, reply.last);
  tell_of_removed(request, store::events::first_seq(db), reply);
  const auto span = span_of(db, request.filter);
  const auto after = std::max(request.after, span.first - 1);
  const bool over = span.last > 0 && after >= span.last;
  bool whole = true;  // everything that was found fits the answer
  if (!over) {
    const auto found = store::events::look(db, after, kScanBytes, request.filter);
    int64_t bytes = kScanBytes;
    for (const auto& chunk : found.chunks) {
      // A chunk may contain more than the filter names.
      whole = store::events::collect(chunk, after, request.filter, bytes, reply);
      if (!whole) break;
    }
    if (whole) reply.next = std::max(reply.next, std::min(found.until, reply.last));
  }
  if (whole && span.last > 0 && std::max(reply.next, after) >= span.last) reply.next = std::max(reply.next, reply.last);
  return reply;
}

Reply reply_to(Database& db, const ReadJob& job, const Request& request) {
  Reply reply;
  reply.number = request.number;
  try {
    auto body = table().at(request.verb)(db, job, request.args);
    if (body) {
      reply.body = std::move(*body);
    } else {
      reply.error = to_wire(body.error());
    }
  } catch (const Json::exception& error) {
    reply.error = WireError{"invalid", fmt::format("{}: wrong arguments: {}", request.verb, error.what()), ""};
  }
  return reply;
}

}  // namespace

bool knows(const std::string& verb) { return table().contains(verb); }

Live needs_live(const std::string& verb) {
  if (verb == "status" || verb == "workers.list") return Live::all;
  return verb == "runs.show" || verb == "runs.logs" ? Live::run : Live::none;
}

std::vector<std::string> verbs() {
  std::vector<std::string> names;
  for (const auto& [name, query] : table()) names.push_back(name);
  return names;
}

BrokerToClient answer(store::Database& db, const ReadJob& job) {
  if (const auto* request = std::get_if<TailRequest>(&job.request)) return tail(db, *request);
  return reply_to(db, job, std::get<Request>(job.request));
}

}  // namespace pipekit::queries
