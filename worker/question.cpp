#include "worker/question.h"

#include <fmt/format.h>

#include "worker/csv.h"
#include "worker/destination.h"
#include "worker/executor.h"
#include "worker/watermark.h"

namespace pipekit::worker {
namespace {

constexpr std::chrono::seconds kLimit{110};  // what a client waits, less what the answer takes

// The codes of a run's errors (no_table, watermark_failed) mean nothing to a client of a test or preview.
std::string code_of(const StepError& error) {
  const bool known = error_code_from(error.code) != ErrorCode::kUnexpected;
  return std::string(known ? error.code : to_string(ErrorCode::kExecutionFailed));
}

TaskResult failure(const Task& task, const StepError& error) {
  return {task.id, WireError{code_of(error), error.message, error.hint}, nullptr};
}

// DB2 and its like have no SELECT without FROM.
std::string probe_for(const std::string& jdbc_url) {
  return jdbc_url.starts_with("jdbc:as400:") || jdbc_url.starts_with("jdbc:db2:") ? "SELECT 1 FROM SYSIBM.SYSDUMMY1"
                                                                                  : "SELECT 1";
}

TaskResult test(const Task& task, Runner& runner, const Clock& clock) {
  const auto begun = clock.now();
  const auto call = runner.query({*task.connection, probe_for(task.connection->jdbc_url)});
  const auto elapsed = std::chrono::floor<Millis>(clock.now() - begun).count();
  if (!call.ok()) {
    const auto which = fmt::format("connection {}: ", task.connection->name);
    const auto words = call.describe();
    return failure(task, {"unavailable", words.starts_with(which) ? words : which + words, call.hint});
  }
  return {task.id, std::nullopt, {{"ok", true}, {"elapsed_ms", elapsed}}};
}

Json rows_of(const Csv& csv, int64_t max_rows) {
  auto rows = Json::array();
  for (const auto& row : csv.rows) {
    if (static_cast<int64_t>(rows.size()) == max_rows) break;
    auto& cells = rows.emplace_back(Json::array());
    for (const auto& cell : row) cells.push_back(cell ? Json(*cell) : Json());
  }
  return rows;
}

// The output may have been cut in the middle of a row.
Csv whole_rows(std::string output) {
  for (;;) {
    if (auto csv = parse_csv(output)) return std::move(*csv);
    const auto newline = output.find_last_of('\n', output.empty() ? 0 : output.size() - 2);
    if (newline == std::string::npos) return {};
    output.resize(newline + 1);
  }
}

TaskResult preview(const Task& task, Runner& runner) {
  const auto& module = *task.module;
  std::map<std::string, std::string> values = task.set;
  for (const auto& watermark : module.watermarks) {
    if (values.contains(watermark.name)) continue;
    auto value = resolve_watermark(runner, watermark);
    if (const auto* error = std::get_if<StepError>(&value)) return failure(task, *error);
    values[watermark.name] = std::get<ResolvedWatermark>(value).value;
  }
  const auto materialised = source_sql(module, values);
  if (const auto* error = std::get_if<StepError>(&materialised)) return failure(task, *error);
  const auto& sql = std::get<std::string>(materialised);
  Assignment assignment;
  assignment.module = module;
  auto opened = Destination::open(assignment, runner);
  if (const auto* error = std::get_if<StepError>(&opened)) return failure(task, *error);
  auto& destination = std::get<Destination>(opened);
  const auto inspected = destination.inspect();
  if (const auto* error = std::get_if<StepError>(&inspected)) return failure(task, *error);
  Runner::Query query{module.source, sql};
  query.max_rows = task.max_rows;
  const auto call = runner.query(query);
  if (!call.ok())
    return failure(task, {"execution_failed", fmt::format("source query: {}", call.describe()),
                          call.hint.empty() ? quoting_hint(module, call.describe()) : call.hint});
  const auto csv = whole_rows(call.output);
  return {task.id,
          std::nullopt,
          {{"source_sql", sql},
           {"merge_sql", destination.merge_sql(0)},
           {"watermarks", values},
           {"columns", csv.header},
           {"rows", rows_of(csv, task.max_rows)}}};
}

TaskResult take_over(const Task& task, Runner& runner) {
  Assignment assignment;
  assignment.module = *task.module;
  assignment.store = task.store;
  assignment.claim_limit_ms = Millis{kLimit}.count() / 2;
  auto opened = Destination::open(assignment, runner);
  if (const auto* error = std::get_if<StepError>(&opened)) return failure(task, *error);
  const auto taken = std::get<Destination>(opened).take_over(task.from_store);
  if (const auto* error = std::get_if<StepError>(&taken)) return failure(task, *error);
  return {task.id, std::nullopt, {{"name", task.module->name}, {"store", task.store}}};
}

}  // namespace

TaskResult answer(const Task& task, const RunnerConfig& config, const Clock& clock, Link& link) {
  const auto secrets = task.module       ? secrets_of(*task.module, config.secrets)
                       : task.connection ? secrets_of({&*task.connection}, config.secrets)
                                         : std::vector<std::string>{};
  Runner runner(config, fmt::format("task-{}", task.id), clock, link, secrets);
  runner.set_deadline(clock.now() + kLimit, fmt::format("{} s", kLimit.count()));
  if (task.kind == "test" && task.connection) return test(task, runner, clock);
  if (task.kind == "preview" && task.module) return preview(task, runner);
  if (task.kind == "take_over" && task.module) return take_over(task, runner);
  return failure(
      task, {"invalid", fmt::format("this worker ({}) does not know the task \"{}\"", PIPEKIT_VERSION, task.kind)});
}

}  // namespace pipekit::worker
