// worker/runner.h for executors on fibers: a call is a client of a simulated server instead of a child process, and
// ends for the same reasons. Linked instead of worker/runner.cpp.
#include <fmt/format.h>

#include "tests/simulation/executing.h"
#include "worker/runner.h"

namespace pipekit::worker {
namespace {

using simulation::Executing;

constexpr std::string_view kScheme = "jdbc:sqlite:/";

std::string server_of(const ConnectionSnapshot& connection) { return connection.jdbc_url.substr(kScheme.size()); }

// The rows of a source are unique to this attempt, so a destination's rows show who merged them.
std::string load_script(const std::string& table, RunKey key, int64_t rows) {
  auto script = fmt::format("BEGIN IMMEDIATE;\nINSERT INTO {} (id, v) VALUES ", table);
  for (int64_t i = 0; i < rows; ++i) {
    script += fmt::format("{}({}, '{}/{}')", i == 0 ? "" : ", ", i, key.run.value, key.epoch.value);
  }
  return script + ";\nCOMMIT;\n";
}

}  // namespace

struct Runner::Call {
  Kind kind = Kind::work;
  bool heeds_cancel = true;
  std::optional<MonoTime> limit;
  CallResult result{};
};

Runner::Runner(const RunnerConfig& config, std::string tag, const Clock& clock, Link& link,
               const std::vector<std::string>& secrets)
    : config_(config), tag_(std::move(tag)), clock_(clock), link_(link), masker_(secrets) {}

void Runner::set_limits(Call& call) const {
  const auto now = clock_.now();
  const bool late = link_.cancelled() || (deadline_ && *deadline_ <= now);
  const bool cleans_up = call.kind == Kind::clean_up || (call.kind == Kind::hook && late);
  call.heeds_cancel = !cleans_up;
  call.limit = cleans_up ? now + kCleanUpLimit : deadline_;
}

namespace {

// A real child that is asked to stop does so immediately, or is killed after the grace period; this one stops
// immediately.
Interruption interruption(const Link& link, bool heeds_cancel, std::optional<MonoTime> limit, MonoTime now) {
  if (link.killed()) return Interruption::killed;
  if (heeds_cancel && link.cancelled()) return Interruption::cancelled;
  if (limit && *limit <= now) return heeds_cancel ? Interruption::timed_out : Interruption::overran;
  return Interruption::none;
}

void converse(CallResult& result, simulation::Session& session, Link& link, bool heeds_cancel,
              std::optional<MonoTime> limit, const Clock& clock) {
  auto& executing = Executing::current();
  while (!session.answered()) {
    const auto now = clock.now();
    result.interruption = interruption(link, heeds_cancel, limit, now);
    if (result.interruption != Interruption::none) {
      session.client_dies();
      result.exit = ExitStatus{ExitStatus::Kind::kSignalled, 9};
      return;
    }
    executing.wait(limit ? std::optional(executing.world().now() + (*limit - now)) : std::nullopt);
    link.pump();
  }
  result.exit = ExitStatus{ExitStatus::Kind::kExited, session.error().empty() ? 0 : 1};
  result.output = session.csv();
  result.complaint = result.errors = session.error();
}

}  // namespace

CallResult Runner::query(const Query& query) {
  Call call;
  call.kind = query.kind;
  link_.pump();
  set_limits(call);
  if (call.heeds_cancel && link_.cancelled()) {
    call.result.interruption = Interruption::cancelled;
    return call.result;
  }
  if (!link_.may_start()) {
    call.result.interruption = Interruption::killed;
    return call.result;
  }
  const auto session = Executing::current().ask(server_of(query.connection), query.sql);
  converse(call.result, *session, link_, call.heeds_cancel, call.limit, clock_);
  return call.result;
}

CallResult Runner::migrate(const Migration& migration, RowCount count) {
  auto& executing = Executing::current();
  const auto rows = executing.world().random.between(1, 9);
  const auto say = [&](const std::string& line) {
    link_.send(fact::Log{to_ms(clock_.wall()), {{false, fmt::format("{} {}", tag_, line)}}});
  };
  say("1: begins");
  auto result = query({migration.dest, load_script(migration.table, executing.key(), rows)});
  say("2: ends");
  if (!result.ok()) return result;
  link_.send(fact::Progress{to_ms(clock_.wall()), rows, {}});
  count.feed(fmt::format("{} rows", rows));
  result.rows = count.result();
  return result;
}

}  // namespace pipekit::worker
