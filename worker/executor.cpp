#include "worker/executor.h"

#include <fmt/format.h>

#include <algorithm>

#include "shared/failpoint.h"
#include "shared/planted_fault.h"
#include "shared/plural.h"
#include "shared/utf8.h"
#include "worker/csv.h"
#include "worker/secrets.h"
#include "worker/watermark.h"

namespace pipekit::worker {
namespace {

constexpr size_t kHookLogBytes = size_t{64} * 1024;

template <class T>
const StepError* error_in(const Step<T>& step) {
  return std::get_if<StepError>(&step);
}

}  // namespace

namespace {

constexpr size_t kMaxKept = 1U << 20U;  // of each text that the run log keeps

void shorten(std::string& text) {
  if (text.size() <= kMaxKept) return;
  const auto left_out = text.size() - kMaxKept;
  text = to_utf8(text.substr(0, kMaxKept)) + fmt::format("\n… {} bytes left out …", left_out);
}

// One that no frame can hold would be sent for ever, and everything behind it would wait.
void fit_into_a_frame(fact::Finished& finished) {
  for (auto* text : {&finished.resolved_source_sql, &finished.merge_sql, &finished.jrunner_stdout,
                     &finished.jrunner_stderr, &finished.hook_log}) {
    shorten(*text);
  }
  if (finished.error) shorten(finished.error->message);
  if (finished.watermark_values_json.size() > kMaxKept) {
    finished.watermark_values_json = R"({"left_out":"the values are longer than 1 MiB"})";
  }
}

}  // namespace

std::vector<std::string> secrets_of(const std::vector<const ConnectionSnapshot*>& connections, const Secrets& secrets) {
  std::vector<std::string> values;
  for (const auto* connection : connections) {
    if (auto value = secrets.resolve(connection->password, connection->jdbc_url)) values.push_back(std::move(*value));
  }
  return values;
}

std::vector<std::string> secrets_of(const ModuleSnapshot& module, const Secrets& secrets) {
  std::vector<const ConnectionSnapshot*> connections = {&module.source, &module.dest};
  for (const auto& watermark : module.watermarks) connections.push_back(&watermark.connection);
  for (const auto& hook : module.hooks) connections.push_back(&hook.connection);
  return secrets_of(connections, secrets);
}

Executor::Executor(const Assignment& assignment, const RunnerConfig& config, const Clock& clock, Link& link)
    : assignment_(assignment),
      module_(assignment.module),
      clock_(clock),
      link_(link),
      masker_(secrets_of(assignment.module, config.secrets)),
      runner_(config, fmt::format("{}-{}", assignment.key.run.value, assignment.key.epoch.value), clock, link,
              secrets_of(assignment.module, config.secrets)) {
  result_.outcome = "none";
  result_.staging_dropped = assignment_.leftovers.empty();
}

void Executor::run() {
  link_.send(fact::Started{now_ms()});
  if (module_.timeout_s > 0) {
    runner_.set_deadline(clock_.now() + std::chrono::seconds{module_.timeout_s},
                         fmt::format("{} s (timeout_s)", module_.timeout_s));
  }
  Done error;
  try {
    error = flow();
  } catch (const std::exception& fault) {
    // A fault of this attempt only; the outcome set so far says what reached the destination.
    result_.staging_dropped = false;
    if (result_.outcome == "merged") {
      result_.hook_log += fmt::format("after the merge: {}\n", fault.what());
    } else {
      error = StepError{"unexpected", fault.what()};
    }
  }
  conclude(error);
}

void Executor::step(const char* name, std::string detail) {
  begin(name);
  link_.send(fact::Step{now_ms(), name, std::move(detail)});
}

void Executor::begin(const char* name) {
  auto& steps = result_.steps;
  const auto now = clock_.now();
  if (!steps.empty()) {
    if (steps.back().step == name) return;  // more to tell of the same one
    steps.back().duration_ms = std::chrono::floor<Millis>(now - step_began_).count();
  }
  step_began_ = now;
  if (*name != '\0') steps.push_back({name, now_ms(), 0});
}

Executor::Done Executor::flow() {
  auto opened = Destination::open(assignment_, runner_);
  if (const auto* error = error_in(opened)) return *error;
  auto& destination = std::get<Destination>(opened);
  if (assignment_.reconcile) return reconcile(destination);
  auto done = work(destination);
  const bool not_ours = done && done->code == "stale_epoch";  // a newer attempt is at it: touch nothing
  if (assignment_.dry_run || not_ours) return done;
  done = run_hooks(done);
  if (staging_made_) {
    step("drop");
    result_.staging_dropped = destination.drop_staging() && result_.staging_dropped;
  }
  return done;
}

// Steps 1 to 8.
Executor::Done Executor::work(Destination& destination) {
  if (destination.fenced() && !assignment_.dry_run) {
    const auto claimed = claim(destination);
    if (claimed || result_.outcome == "merged") return claimed;
  }
  // No claim waits for a lost attempt here; what it still reads is locked, stays, and is tried again by the next run.
  if (!destination.fenced() && !assignment_.dry_run) result_.staging_dropped = destination.drop_leftovers();
  if (auto done = resolve_watermarks()) return done;
  if (auto done = materialise()) return done;
  const auto inspected = destination.inspect();
  if (const auto* error = error_in(inspected)) return *error;
  result_.merge_sql = destination.merge_sql(0);
  if (assignment_.dry_run) return std::nullopt;
  for (const auto& sequence : destination.closed_sequences()) {
    step("staging",
         fmt::format("the sequence {} of column {} is not advanced: GRANT USAGE, UPDATE on it to let the run "
                     "do so",
                     sequence.name, sequence.column));
  }

  step("staging");
  staging_made_ = true;  // whatever the answer: the statement may have been executed
  const auto created = destination.create_staging();
  if (const auto* error = error_in(created)) return *error;
  if (auto done = transfer(destination)) return done;
  if (auto done = verify(destination)) return done;
  return merge(destination);
}

Executor::Done Executor::claim(Destination& destination) {
  step("claim");
  const auto claimed = destination.claim();
  if (const auto* error = error_in(claimed)) return *error;
  result_.staging_dropped = destination.drop_leftovers();
  const auto& claim = std::get<Claim>(claimed);
  if (!claim.adopted) {
    if (!assignment_.earlier.empty()) result_.outcome = "not_merged";  // those before: the broker need not ask
    return std::nullopt;
  }
  step("adopt", "an earlier attempt of this run has merged");
  result_.outcome = "merged";
  result_.row_count = claim.row_count;
  return std::nullopt;
}

Executor::Done Executor::reconcile(Destination& destination) {
  step("reconcile", "checking the destination for a committed merge");
  const auto claimed = destination.claim();
  if (const auto* error = error_in(claimed)) {
    result_.outcome = "unknown";
    return *error;
  }
  result_.staging_dropped = destination.drop_leftovers();
  const auto& claim = std::get<Claim>(claimed);
  result_.outcome = claim.adopted ? "merged" : "not_merged";
  result_.row_count = claim.row_count;
  if (claim.adopted) return std::nullopt;
  return StepError{"not_merged", "the merge was not committed"};
}

Executor::Done Executor::resolve_watermarks() {
  if (module_.watermarks.empty()) return std::nullopt;
  step("watermarks");
  Json values = Json::object();
  for (const auto& watermark : module_.watermarks) {
    const auto given = assignment_.set.find(watermark.name);
    if (given != assignment_.set.end()) {
      values_[watermark.name] = given->second;
    } else {
      auto resolved = resolve_watermark(runner_, watermark);
      if (const auto* error = error_in(resolved)) return *error;
      auto& [value, defaulted] = std::get<ResolvedWatermark>(resolved);
      if (defaulted && assignment_.module_has_succeeded) {
        if (auto error = refused_default(module_, watermark)) return error;
        tell_default(watermark);
      }
      values_[watermark.name] = std::move(value);
    }
    values[watermark.name] = values_[watermark.name];
    result_.watermark_values_json = values.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return std::nullopt;
}

// The first run begins from default_value; later it means that the destination, or resolver_sql, is not what it was.
void Executor::tell_default(const WatermarkSnapshot& watermark) {
  result_.defaulted.push_back(watermark.name);
  auto text = fmt::format(
      "warning: watermark {}: resolver_sql returned NULL, although the module has succeeded before: default_value is "
      "used",
      watermark.name);
  link_.send(fact::Log{now_ms(), {{true, masker_.mask(text)}}});
}

Executor::Done Executor::materialise() {
  step("materialise");
  auto sql = source_sql(module_, values_);
  if (const auto* error = error_in(sql)) return *error;
  source_sql_ = std::move(std::get<std::string>(sql));
  result_.resolved_source_sql = source_sql_;
  return std::nullopt;
}

Executor::Done Executor::transfer(Destination& destination) {
  step("transfer");
  auto count = assignment_.row_count_pattern.empty() ? Result<RowCount>(RowCount())
                                                     : RowCount::with_pattern(assignment_.row_count_pattern);
  if (!count) return StepError{"invalid", "setting row_count_pattern: " + count.error().message, "", false};
  FAILPOINT("worker.transfer.before");
  const auto call =
      runner_.migrate({module_.source, module_.dest, source_sql_, destination.staging().sql}, std::move(*count));
  FAILPOINT("worker.transfer.after");
  result_.jrunner_stdout = call.output;
  result_.jrunner_stderr = call.errors;
  if (!call.ok()) {
    return transfer_error(call, destination);
  }
  if (!call.rows) {
    return StepError{"transfer_failed", "the runner exited 0 but printed no number of rows",
                     "if it prints the number in another form, set row_count_pattern (pipekit-ctl settings)", false};
  }
  reported_ = call.rows;
  link_.send(fact::Progress{now_ms(), *call.rows, {}});  // what was told on the way is behind this
  return std::nullopt;
}

// Takes the side from the front of what pipekit-jrunner says.
std::string Executor::failed_side(std::string& complaint) const {
  for (const auto& [side, action, connection] :
       {std::tuple{"source: ", "reading from", &module_.source}, {"destination: ", "writing to", &module_.dest}}) {
    if (!complaint.starts_with(side)) continue;
    complaint.erase(0, std::string_view(side).size());
    return fmt::format("{} {}", action, connection->name);
  }
  return fmt::format("transfer from {} to {}", module_.source.name, module_.dest.name);
}

StepError Executor::transfer_error(const CallResult& call, const Destination& destination) const {
  auto complaint = destination.in_terms_of_the_table(call.describe());
  const auto side = failed_side(complaint);
  StepError error{"transfer_failed", fmt::format("{} failed: {}", side, complaint),
                  call.hint.empty() ? quoting_hint(module_, complaint) : call.hint};
  error.interruption = call.interruption;
  return error;
}

Executor::Done Executor::verify(Destination& destination) {
  step("verify");
  const auto verified = destination.verify();
  if (const auto* error = error_in(verified)) return *error;
  const auto& staged = std::get<Staged>(verified);
  result_.row_count = staged.rows;
  if (staged.rows != *reported_) {
    return StepError{"row_count_mismatch",
                     fmt::format("the runner reported {}, staging has {}", count_of(*reported_, "row"), staged.rows),
                     "if it prints the number in another form, set row_count_pattern (pipekit-ctl settings)"};
  }
  const bool updates = module_.merge_method == "update";
  if ((module_.merge_strategy == "incremental" || updates) && staged.null_keys > 0) {
    return StepError{
        "null_keys",
        fmt::format("{} {} NULL in the merge key {} and could never be replaced", count_of(staged.null_keys, "row"),
                    staged.null_keys == 1 ? "has" : "have", fmt::join(module_.merge_key, ", ")),
        "leave them out in source_query, or choose another merge_key", false};
  }
  if ((module_.unique_key || updates) && staged.duplicate_keys > 0) {
    return StepError{"duplicate_keys",
                     fmt::format("{} values of the merge key {} are not unique", staged.duplicate_keys,
                                 fmt::join(module_.merge_key, ", ")),
                     updates
                         ? "merge_method: update needs one row per key: choose another merge_key, or return one row "
                           "per key from source_query"
                         : "",
                     false};
  }
  if (staged.ambiguous_keys > 0) {
    return StepError{"duplicate_keys",
                     fmt::format("{} values of the merge key {} match several rows: the table {} has them more than "
                                 "once, or compares them without regard to case",
                                 staged.ambiguous_keys, fmt::join(module_.merge_key, ", "), module_.dest_table),
                     "merge_method: update needs one row per key in the table too: choose another merge_key, or remove "
                     "the duplicates",
                     false};
  }
  if (module_.min_rows && staged.rows < *module_.min_rows) {
    return StepError{"too_few_rows", fmt::format("{}, at least {} are expected (min_rows)",
                                                 count_of(staged.rows, "row"), *module_.min_rows)};
  }
  if (module_.max_shrink_pct && staged.present &&
      staged.rows * 100 < *staged.present * (100 - *module_.max_shrink_pct)) {
    return StepError{"shrunk",
                     fmt::format("the table would shrink from {} to {} rows, by more than {} % (max_shrink_pct)",
                                 *staged.present, staged.rows, *module_.max_shrink_pct)};
  }
  staged_ = staged.rows;
  if (staged.duplicate_keys > 0) {
    step("verify", fmt::format("{} values of the merge key occur in several rows", staged.duplicate_keys));
  }
  return std::nullopt;
}

Executor::Done Executor::merge(Destination& destination) {
  result_.merge_sql = destination.merge_sql(*staged_);
  // Until the broker knows that a merge may be under way, none is: an attempt lost before has not merged.
  begin("merge");
  FAILPOINT("worker.merging.before");
  const auto told = link_.send(fact::Merging{now_ms()});
  if (!PLANTED("merge_without_acknowledgement") && !link_.wait_acknowledged(told)) {
    StepError error{"cancelled", "stopped before the merge"};
    error.interruption = link_.killed() ? Interruption::killed : Interruption::cancelled;
    return error;
  }
  FAILPOINT("worker.merging.acknowledged");
  result_.outcome = "unknown";
  const auto call = destination.merge(*staged_);
  if (call.ok()) {
    result_.outcome = "merged";
    return std::nullopt;
  }
  return after_failed_merge(destination, call);
}

// FENCE.md rule 6: whatever the call said, only a closed fence knows.
Executor::Done Executor::after_failed_merge(Destination& destination, const CallResult& call) {
  StepError error{"merge_failed", "merge failed: " + destination.in_terms_of_the_table(call.describe()), call.hint};
  if (error.hint.empty()) error.hint = destination.merge_hint(call.complaint);
  error.interruption = call.interruption;
  if (!call.exit && call.interruption != Interruption::none) {
    result_.outcome = "not_merged";  // the runner was never started
    return error;
  }
  // A runner that ends by itself has almost always been told why by the database; the fence is asked all the same.
  const bool told = call.interruption == Interruption::none && call.exit->kind == ExitStatus::Kind::kExited;
  if (!told) step("close", "the result of the merge is unknown; checking the destination");
  const auto closed = destination.close();
  switch (closed.outcome) {
    case Destination::Outcome::merged:
      result_.outcome = "merged";
      return std::nullopt;
    case Destination::Outcome::not_merged:
      result_.outcome = "not_merged";
      break;
    case Destination::Outcome::unknown:
      error.code = "outcome_unknown";
      break;
  }
  return error;
}

// What they do to the run: nothing, unless a cancel ends one of them. Of those after it only the ones that run always
// do.
Executor::Done Executor::run_hooks(const Done& error) {
  if (module_.hooks.empty() || link_.killed()) return error;
  step("hooks");
  auto done = error;
  for (const auto& hook : module_.hooks) {
    const bool wanted = hook.run_on == "always" || (hook.run_on == "failure" ? error.has_value() : !done);
    if (!wanted) continue;
    const auto call = run_hook(hook);
    record(hook, call);
    if (call.interruption != Interruption::cancelled || done) continue;
    done = StepError{"cancelled", "cancelled while its hooks ran; the data was merged"};
    done->interruption = Interruption::cancelled;
  }
  return done;
}

CallResult Executor::run_hook(const HookSnapshot& hook) {
  FAILPOINT("worker.hook.before");
  Runner::Query query{hook.connection, hook.sql};
  query.kind = Runner::Kind::hook;
  query.read_only = false;
  query.stream_output = true;
  auto call = runner_.query(query);
  FAILPOINT("worker.hook.after");
  return call;
}

void Executor::record(const HookSnapshot& hook, const CallResult& call) {
  const auto name = fmt::format("hook {} on {}", hook.run_order, hook.connection.name);
  const auto how = call.ok() ? "ok" : "failed: " + call.describe();
  if (!call.ok()) {
    ++result_.hooks_failed;
    step("hooks", masker_.mask(fmt::format("{} {}", name, how)));
  }
  result_.hook_log += fmt::format("{}: {}\n", name, how);
  if (call.output.empty() || result_.hook_log.size() + call.output.size() > kHookLogBytes) return;
  result_.hook_log += call.output + (call.output.ends_with('\n') ? "" : "\n");
}

void Executor::conclude(const Done& error) {
  begin("");
  result_.at = now_ms();
  result_.status = assignment_.dry_run ? "dry_run" : "success";
  if (error) {
    const bool cancelled = error->interruption == Interruption::cancelled;
    result_.status = cancelled ? "cancelled" : "error";
    result_.retryable = error->retryable;
    result_.fence_epoch = error->fence_epoch;
    std::string code = error->code;
    if (error->interruption == Interruption::timed_out) code = "timeout";
    if (error->interruption == Interruption::killed) code = "lease_ended";
    if (!cancelled || result_.outcome == "unknown" || result_.outcome == "merged") {
      result_.error = WireError{code, masker_.mask(error->message), masker_.mask(error->hint)};
    }
  }
  if (assignment_.dry_run) result_.row_count.reset();
  for (auto* text : {&result_.resolved_source_sql, &result_.merge_sql, &result_.watermark_values_json,
                     &result_.hook_log, &result_.jrunner_stderr}) {
    *text = masker_.mask(*text);
  }
  fit_into_a_frame(result_);
  FAILPOINT("worker.finished.before");
  link_.send(std::move(result_));
}

}  // namespace pipekit::worker
