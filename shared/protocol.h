// Every message that two Pipekit programs may send each other. Read this first; PROTOCOL.md tells the same in
// dialogues.
//
// Words: a *module* is a definition; a *run* is one execution of it; an *attempt* is one try of a run on one worker and
// its *epoch* is that try's number in one sequence of the store; a *lease* is the broker's promise that an attempt may
// go on until a deadline; a *fact* is something a worker tells about an attempt; an *event* is one numbered entry of
// the broker's log.
//
// On the wire a message is two ZeroMQ frames: {version, type} as two bytes, then one msgpack map. Unknown keys are
// ignored and missing ones keep the defaults written here, so a field may be added without a new version. What changes
// otherwise is a new type at the end of its list, with `static constexpr uint8_t kSince`, and a newer version in
// spoken_versions.cpp; it goes to peers that speak that version only (protocol_version.h).
//
// Each struct names its fields once, in visit(), with their bounds; codec.h turns that into msgpack and JSON. Times on
// the wire are milliseconds since 1970 UTC (display only), durations are milliseconds, and neither side ever compares
// the other's clock with its own.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shared/attempt_state.h"
#include "shared/error.h"
#include "shared/protocol_version.h"

namespace pipekit {

using Json = nlohmann::json;

inline constexpr size_t kMaxFrameBytes = 16U << 20U;  // a larger one is refused before it is decoded

inline constexpr size_t kMiB = 1U << 20U;

// What a field may have at most. Every text, list, map and free JSON names its bound; the codec refuses what exceeds it
// before it makes room for it. A bound admits everything that an honest program of any version sends.
struct Bound {
  size_t items = 0;  // elements of a list, pairs of a map; of JSON: all values and keys in it, at every level
  size_t bytes = 0;  // of each text
};
constexpr Bound bytes(size_t most) { return {0, most}; }
constexpr Bound at_most(size_t items, Bound each = {}) { return {items, each.bytes}; }

inline constexpr size_t kMostItems = 1U << 22U;  // of a message, all levels together
inline constexpr size_t kMostListed = 10'000;    // attempts that one worker can have

// An integer id that cannot be confused with another kind's.
template <class Tag>
struct Id {
  int64_t value = 0;
  auto operator<=>(const Id&) const = default;
};
using RunId = Id<struct RunTag>;
using Epoch = Id<struct EpochTag>;
using ModuleId = Id<struct ModuleTag>;
using GroupRunId = Id<struct GroupRunTag>;

// Names an attempt in every message about it.
struct RunKey {
  RunId run;
  Epoch epoch;
  auto operator<=>(const RunKey&) const = default;
  static void visit(auto& self, auto&& field) {
    field("run", self.run);
    field("epoch", self.epoch);
  }
};

struct WireError {
  std::string code;  // to_string(ErrorCode), or an engine's own word: worker_lost, outcome_unknown, other_store
  std::string message;
  std::string hint;
  static void visit(auto& self, auto&& field) {
    field("code", self.code, bytes(200));
    field("message", self.message, bytes(4 * kMiB));
    field("hint", self.hint, bytes(kMiB));
  }
};

// --- events ---

struct Event {
  int64_t seq = 0;
  int64_t ts = 0;
  std::string kind;  // CONTRACT.md, JSON
  std::optional<int64_t> run_id;
  std::optional<int64_t> group_run_id;
  std::string module_name;
  std::string worker;
  Json fields = Json::object();  // the event's own
  static void visit(auto& self, auto&& field) {
    field("seq", self.seq);
    field("ts", self.ts);
    field("kind", self.kind, bytes(200));
    field("run_id", self.run_id);
    field("group_run_id", self.group_run_id);
    field("module_name", self.module_name, bytes(1000));
    field("worker", self.worker, bytes(1000));
    field("fields", self.fields, at_most(kMostItems));
  }
};

struct LogLine {
  bool err = false;  // stderr, else stdout
  std::string text;  // valid UTF-8, without the newline
  static void visit(auto& self, auto&& field) {
    field("err", self.err);
    field("text", self.text, bytes(kMiB));
  }
};

// A batch of log lines as it is stored and sent: line i is the event first_seq + i of kind run.log.
struct LogChunk {
  int64_t first_seq = 0;
  int64_t ts = 0;
  int64_t run_id = 0;
  std::optional<int64_t> group_run_id;
  std::string module_name;
  std::string worker;
  std::vector<LogLine> lines;
  static void visit(auto& self, auto&& field) {
    field("first_seq", self.first_seq);
    field("ts", self.ts);
    field("run_id", self.run_id);
    field("group_run_id", self.group_run_id);
    field("module_name", self.module_name, bytes(1000));
    field("worker", self.worker, bytes(1000));
    field("lines", self.lines, at_most(65'536));
  }
};

// --- client -> broker (control socket) ---

// One command. Sent again with the same (client, number) after a lost reply it is answered again, not executed again.
struct Request {
  std::string client;  // chosen at random by each ctl process
  int64_t number = 0;  // from 1, one per command
  int64_t age_ms = 0;  // since it was first sent, by the client's monotonic clock
  std::string user;    // for the audit; believed only where no key says better
  std::string verb;    // "run", "module.list": PROTOCOL.md has all with their arguments
  Json args = Json::object();
  static void visit(auto& self, auto&& field) {
    field("client", self.client, bytes(200));
    field("number", self.number);
    field("age_ms", self.age_ms);
    field("user", self.user, bytes(200));
    field("verb", self.verb, bytes(200));
    field("args", self.args, at_most(1'000'000));
  }
};

// Which events a tail wants; an empty filter wants all.
struct EventFilter {
  std::optional<int64_t> run_id;
  std::optional<int64_t> group_run_id;  // the group run's own events and those of its members
  std::string module_name;
  std::vector<std::string> kinds;
  static void visit(auto& self, auto&& field) {
    field("run_id", self.run_id);
    field("group_run_id", self.group_run_id);
    field("module_name", self.module_name, bytes(1000));
    field("kinds", self.kinds, at_most(100, bytes(200)));
  }
};

// A parked request: answered as soon as an event after `after` matches, else by an empty beat. One per peer is parked;
// a new one replaces it. With follow = false it is always answered at once.
struct TailRequest {
  int64_t number = 0;  // comes back in the answer
  int64_t after = 0;
  bool follow = true;
  EventFilter filter;
  static void visit(auto& self, auto&& field) {
    field("number", self.number);
    field("after", self.after);
    field("follow", self.follow);
    field("filter", self.filter);
  }
};

// --- broker -> client ---

struct Reply {
  int64_t number = 0;
  std::optional<WireError> error;
  Json body;
  static void visit(auto& self, auto&& field) {
    field("number", self.number);
    field("error", self.error);
    field("body", self.body, at_most(kMostItems));
  }
};

// `next`: the filter was applied up to and including this number; ask on from there. No events: a beat, or nothing
// matched in the range looked at. `last`: the highest number committed; next == last means caught up.
struct TailReply {
  int64_t number = 0;
  int64_t next = 0;
  int64_t last = 0;
  std::vector<Event> events;
  std::vector<LogChunk> logs;
  static void visit(auto& self, auto&& field) {
    field("number", self.number);
    field("next", self.next);
    field("last", self.last);
    field("events", self.events, at_most(200'000));
    field("logs", self.logs, at_most(200'000));
  }
};

// To every peer, workers too: the broker ends in order. Running transfers go on and reattach to the next one.
struct BrokerLeaving {
  static void visit(auto&, auto&&) {}
};

// --- worker -> broker (worker socket) ---

// First message on every new socket, and the answer to HelloWanted. A duplicate changes nothing.
struct Hello {
  std::string name;
  std::string incarnation;  // random, one per worker process
  std::string state_id;     // of the locked state directory: the same again proves all children of before are dead
  std::string version;
  std::string host;
  int64_t slots = 0;
  bool draining = false;
  std::vector<std::string> tags;
  Epoch last_assignment;         // the highest received
  std::vector<RunKey> attempts;  // not yet acknowledged to their end
  ProtocolVersions protocol{};
  std::vector<std::string> drivers{};  // that its runner has; empty: any
  static void visit(auto& self, auto&& field) {
    field("name", self.name, bytes(200));
    field("incarnation", self.incarnation, bytes(200));
    field("state_id", self.state_id, bytes(200));
    field("version", self.version, bytes(200));
    field("host", self.host, bytes(200));
    field("slots", self.slots);
    field("draining", self.draining);
    field("tags", self.tags, at_most(100, bytes(200)));
    field("last_assignment", self.last_assignment);
    field("attempts", self.attempts, at_most(kMostListed));
    field("protocol_oldest", self.protocol.oldest);
    field("protocol_newest", self.protocol.newest);
    field("drivers", self.drivers, at_most(100, bytes(200)));
  }
};

// Renews the leases of what it lists. An attempt is listed until its final fact is acknowledged.
struct Heartbeat {
  int64_t number = 0;  // from 1, rising within an incarnation
  bool draining = false;
  Epoch last_assignment;
  std::vector<RunKey> attempts;
  static void visit(auto& self, auto&& field) {
    field("number", self.number);
    field("draining", self.draining);
    field("last_assignment", self.last_assignment);
    field("attempts", self.attempts, at_most(kMostListed));
  }
};

// How long a step of an attempt took. Durations are of the worker's monotonic clock.
struct StepTime {
  std::string step;
  int64_t at = 0;
  int64_t duration_ms = 0;
  static void visit(auto& self, auto&& field) {
    field("step", self.step, bytes(200));
    field("at", self.at);
    field("duration_ms", self.duration_ms);
  }
};

// The facts, in the order in which an attempt may tell them.
namespace fact {

// The assignment came too late (its lease had ended) or cannot be begun. Nothing was done. Final.
struct Refused {
  WireError error;
  static void visit(auto& self, auto&& field) { field("error", self.error); }
};
struct Started {
  int64_t at = 0;
  static void visit(auto& self, auto&& field) { field("at", self.at); }
};
// A step of DESIGN section 4 begins.
struct Step {
  int64_t at = 0;
  std::string step;  // claim, watermarks, materialise, ...
  std::string detail;
  static void visit(auto& self, auto&& field) {
    field("at", self.at);
    field("step", self.step, bytes(200));
    field("detail", self.detail, bytes(2 * kMiB));
  }
};
struct Log {
  int64_t at = 0;
  std::vector<LogLine> lines;
  static void visit(auto& self, auto&& field) {
    field("at", self.at);
    field("lines", self.lines, at_most(65'536));
  }
};
// With a line: what the runner shows on a line that it has not ended, a progress bar for example. Then 0 rows mean that
// their number is not known.
struct Progress {
  int64_t at = 0;
  int64_t rows = 0;
  std::string line{};
  static void visit(auto& self, auto&& field) {
    field("at", self.at);
    field("rows", self.rows);
    field("line", self.line, bytes(2 * kMiB));
  }
};
// The next thing is the merge. The worker waits for the acknowledgement: an attempt lost before it has not merged.
struct Merging {
  int64_t at = 0;
  static void visit(auto& self, auto&& field) { field("at", self.at); }
};
// Final: the attempt is over and no process of it is alive.
struct Finished {
  int64_t at = 0;
  std::string status;  // success, error, cancelled, dry_run
  // Of the run's merge, this attempt's or an earlier one's: none (not begun, nor asked), merged, not_merged, unknown.
  std::string outcome;
  bool retryable = true;
  bool staging_dropped = true;
  std::optional<WireError> error;
  std::optional<int64_t> row_count;
  Epoch fence_epoch;  // of the destination, where the claim found a higher one than ours
  std::string resolved_source_sql;
  std::string merge_sql;
  std::string watermark_values_json;
  std::string jrunner_stdout;  // head and tail
  std::string jrunner_stderr;
  std::string hook_log;
  std::vector<StepTime> steps;  // in order; merge includes the wait for the broker's word
  // Watermarks that got their default_value because the resolver returned NULL, though the module had succeeded before.
  std::vector<std::string> defaulted{};
  int64_t hooks_failed = 0;  // they change nothing of the status
  static void visit(auto& self, auto&& field) {
    field("at", self.at);
    field("status", self.status, bytes(200));
    field("outcome", self.outcome, bytes(200));
    field("retryable", self.retryable);
    field("staging_dropped", self.staging_dropped);
    field("error", self.error);
    field("row_count", self.row_count);
    field("fence_epoch", self.fence_epoch);
    field("resolved_source_sql", self.resolved_source_sql, bytes(2 * kMiB));
    field("merge_sql", self.merge_sql, bytes(2 * kMiB));
    field("watermark_values_json", self.watermark_values_json, bytes(2 * kMiB));
    field("jrunner_stdout", self.jrunner_stdout, bytes(2 * kMiB));
    field("jrunner_stderr", self.jrunner_stderr, bytes(2 * kMiB));
    field("hook_log", self.hook_log, bytes(2 * kMiB));
    field("steps", self.steps, at_most(1000));
    field("defaulted", self.defaulted, at_most(1000, bytes(200)));
    field("hooks_failed", self.hooks_failed);
  }
};

}  // namespace fact

using FactBody =
    std::variant<fact::Refused, fact::Started, fact::Step, fact::Log, fact::Progress, fact::Merging, fact::Finished>;
inline constexpr std::array<std::string_view, 7> kFactWords = {"refused",  "started", "step",    "log",
                                                               "progress", "merging", "finished"};

// Applied only if `seq` is the next of its attempt, in the transaction that advances fact_seq; a duplicate is
// acknowledged and dropped. The worker keeps it until it is acknowledged and sends it again on a new socket.
struct Fact {
  RunKey key;
  int64_t seq = 0;  // from 1
  FactBody body;
  static void visit(auto& self, auto&& field) {
    field("key", self.key);
    field("seq", self.seq);
    field("body", self.body);
  }
};

// The answer to a Task. Lost with the broker: the client asks again.
struct TaskResult {
  int64_t id = 0;
  std::optional<WireError> error;
  Json body;
  static void visit(auto& self, auto&& field) {
    field("id", self.id);
    field("error", self.error);
    field("body", self.body, at_most(1'500'000));
  }
};

// The worker ends in order, with nothing running.
struct Goodbye {
  static void visit(auto&, auto&&) {}
};

// --- broker -> worker ---

struct Welcome {
  int64_t lease_ms = 60'000;
  int64_t heartbeat_ms = 10'000;
  std::string version;
  int64_t protocol = 1;  // the version that both use from here on
  static void visit(auto& self, auto&& field) {
    field("lease_ms", self.lease_ms);
    field("heartbeat_ms", self.heartbeat_ms);
    field("version", self.version, bytes(200));
    field("protocol", self.protocol);
  }
};

// name_in_use: try again later (the other's lease may end). version_mismatch, refused: the worker exits.
struct HelloRefused {
  WireError error;
  static void visit(auto& self, auto&& field) { field("error", self.error); }
};

// The broker does not know this peer (it was restarted, or held the worker for lost).
struct HelloWanted {
  static void visit(auto&, auto&&) {}
};

// The attempts listed in heartbeat `number` are leased for lease_ms from when the worker *sent* it.
struct HeartbeatAck {
  int64_t number = 0;
  static void visit(auto& self, auto&& field) { field("number", self.number); }
};

// Everything up to and including `seq` is durable.
struct FactAck {
  RunKey key;
  int64_t seq = 0;
  static void visit(auto& self, auto&& field) {
    field("key", self.key);
    field("seq", self.seq);
  }
};

// What a run uses of a connection. The password is a reference that the worker resolves ("$WH_PASSWORD").
struct ConnectionSnapshot {
  std::string name;
  std::string driver;
  std::string jdbc_url;
  std::string username;
  std::string password;
  std::string fence = "auto";  // auto, none
  bool read_only = true;       // for sources, watermarks and previews
  int64_t max_sessions = 0;    // 0: no limit
  std::vector<std::string> required_tags;
  static void visit(auto& self, auto&& field) {
    field("name", self.name, bytes(2 * kMiB));
    field("driver", self.driver, bytes(2 * kMiB));
    field("jdbc_url", self.jdbc_url, bytes(2 * kMiB));
    field("username", self.username, bytes(2 * kMiB));
    field("password", self.password, bytes(2 * kMiB));
    field("fence", self.fence, bytes(2 * kMiB));
    field("read_only", self.read_only);
    field("max_sessions", self.max_sessions);
    field("required_tags", self.required_tags, at_most(100'000, bytes(2 * kMiB)));
  }
};

struct WatermarkSnapshot {
  std::string name;
  ConnectionSnapshot connection;
  std::string resolver_sql;
  std::optional<std::string> default_value;
  bool raw = false;       // the value is SQL: it goes into the query as it is
  std::string on_null{};  // once the module has succeeded: default, error; empty: error with append, else default
  static void visit(auto& self, auto&& field) {
    field("name", self.name, bytes(2 * kMiB));
    field("connection", self.connection);
    field("resolver_sql", self.resolver_sql, bytes(2 * kMiB));
    field("default_value", self.default_value, bytes(2 * kMiB));
    field("raw", self.raw);
    field("on_null", self.on_null, bytes(200));
  }
};

struct HookSnapshot {
  int64_t run_order = 0;
  ConnectionSnapshot connection;
  std::string sql;
  std::string run_on;  // success, failure, always
  static void visit(auto& self, auto&& field) {
    field("run_order", self.run_order);
    field("connection", self.connection);
    field("sql", self.sql, bytes(2 * kMiB));
    field("run_on", self.run_on, bytes(200));
  }
};

// The definition as it was when the run was submitted.
struct ModuleSnapshot {
  int64_t id = 0;
  std::string name;
  std::string fence_name;  // the module's name when it was created; a rename keeps it
  ConnectionSnapshot source;
  ConnectionSnapshot dest;
  std::string dest_table;
  std::string source_query;
  std::string merge_strategy;  // full, incremental, append
  std::vector<std::string> merge_key;
  bool unique_key = false;
  bool truncate = false;
  std::string merge_method = "replace";  // replace, update
  int64_t retries = 0;
  int64_t retry_backoff_s = 30;
  int64_t timeout_s = 0;  // 0: none
  std::optional<int64_t> min_rows;
  std::optional<int64_t> max_shrink_pct;
  int64_t priority = 0;
  std::vector<WatermarkSnapshot> watermarks;
  std::vector<HookSnapshot> hooks;
  static void visit(auto& self, auto&& field) {
    field("id", self.id);
    field("name", self.name, bytes(2 * kMiB));
    field("fence_name", self.fence_name, bytes(2 * kMiB));
    field("source", self.source);
    field("dest", self.dest);
    field("dest_table", self.dest_table, bytes(2 * kMiB));
    field("source_query", self.source_query, bytes(2 * kMiB));
    field("merge_strategy", self.merge_strategy, bytes(200));
    field("merge_key", self.merge_key, at_most(100'000, bytes(2 * kMiB)));
    field("unique_key", self.unique_key);
    field("truncate", self.truncate);
    field("merge_method", self.merge_method, bytes(200));
    field("retries", self.retries);
    field("retry_backoff_s", self.retry_backoff_s);
    field("timeout_s", self.timeout_s);
    field("min_rows", self.min_rows);
    field("max_shrink_pct", self.max_shrink_pct);
    field("priority", self.priority);
    field("watermarks", self.watermarks, at_most(100'000));
    field("hooks", self.hooks, at_most(100'000));
  }
};

// Numbered by its epoch; sent again while the worker's last_assignment is below it, so a duplicate is dropped. The
// lease counts from when the worker sent heartbeat `heartbeat`; one that has ended by then is refused.
struct Assignment {
  RunKey key;
  int64_t heartbeat = 0;
  bool reconcile = false;  // claim only: tell whether an earlier attempt merged
  bool dry_run = false;
  std::string store;                       // the store's id, for the fence
  std::map<std::string, std::string> set;  // --set NAME=VALUE, in place of the watermark's resolver
  std::vector<Epoch> earlier;              // attempts of this run: the only rows of pipekit_merged it may adopt
  std::vector<RunKey> leftovers;           // attempts of this module whose staging tables may still exist
  int64_t claim_limit_ms = 60'000;
  std::string row_count_pattern;  // empty: the default of CONTRACT.md
  ModuleSnapshot module;
  bool module_has_succeeded = false;  // a run of it has; false also from a broker that does not say
  static void visit(auto& self, auto&& field) {
    field("key", self.key);
    field("heartbeat", self.heartbeat);
    field("reconcile", self.reconcile);
    field("dry_run", self.dry_run);
    field("store", self.store, bytes(200));
    field("set", self.set, at_most(100'000, bytes(2 * kMiB)));
    field("earlier", self.earlier, at_most(1'000'000));
    field("leftovers", self.leftovers, at_most(1'000'000));
    field("claim_limit_ms", self.claim_limit_ms);
    field("row_count_pattern", self.row_count_pattern, bytes(2 * kMiB));
    field("module", self.module);
    field("module_has_succeeded", self.module_has_succeeded);
  }
};

// Somebody asked for the end of the run; the worker answers with Finished. A duplicate changes nothing.
struct CancelAttempt {
  RunKey key;
  static void visit(auto& self, auto&& field) { field("key", self.key); }
};

// The worker listed an attempt that the broker has given up: end its processes. Its Finished is still wanted.
struct KillAttempt {
  RunKey key;
  static void visit(auto& self, auto&& field) { field("key", self.key); }
};

// A question that changes nothing and needs a worker's network path: test a connection, preview a module.
struct Task {
  int64_t id = 0;
  std::string kind;  // test, preview, take_over, columns
  std::optional<ConnectionSnapshot> connection;
  std::optional<ModuleSnapshot> module;
  std::string table;  // columns: of `connection`
  std::map<std::string, std::string> set;
  int64_t max_rows = 10;
  std::string store;       // take_over: this broker's
  std::string from_store;  // take_over: the one that the fence is taken from
  static void visit(auto& self, auto&& field) {
    field("id", self.id);
    field("kind", self.kind, bytes(200));
    field("connection", self.connection);
    field("module", self.module);
    field("table", self.table, bytes(2 * kMiB));
    field("set", self.set, at_most(100'000, bytes(2 * kMiB)));
    field("max_rows", self.max_rows);
    field("store", self.store, bytes(200));
    field("from_store", self.from_store, bytes(kMiB));
  }
};

// Nobody waits for the answer any more: end what it asks. A duplicate changes nothing.
struct DropTask {
  static constexpr uint8_t kSince = 2;
  int64_t id = 0;
  static void visit(auto& self, auto&& field) { field("id", self.id); }
};

using ClientToBroker = std::variant<Request, TailRequest>;
using BrokerToClient = std::variant<Reply, TailReply, BrokerLeaving>;
using WorkerToBroker = std::variant<Hello, Heartbeat, Fact, TaskResult, Goodbye>;
using BrokerToWorker = std::variant<Welcome, HelloRefused, HelloWanted, HeartbeatAck, FactAck, Assignment,
                                    CancelAttempt, KillAttempt, Task, BrokerLeaving, DropTask>;

}  // namespace pipekit
