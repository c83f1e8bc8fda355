#include "worker/destination.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "shared/failpoint.h"
#include "shared/jdbc_url.h"
#include "worker/csv.h"

namespace pipekit::worker {
namespace {

constexpr int kRepeats = 3;  // of a claim or close that met a deadlock or a serialisation failure; a merge never

constexpr auto kContract = "the runner does not keep its contract (docs/CONTRACT.md); try pipekit-jrunner instead";

std::optional<int64_t> number(const Csv& csv, std::string_view column) {
  const auto index = csv.column(column);
  if (!index || csv.rows.empty() || !csv.rows[0][*index]) return std::nullopt;
  const auto& text = *csv.rows[0][*index];
  int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

MergeStrategy strategy_of(const std::string& word) {
  if (word == "incremental") return MergeStrategy::kIncremental;
  return word == "append" ? MergeStrategy::kAppend : MergeStrategy::kFull;
}

MergeMethod method_of(const std::string& word) {
  return word == "update" ? MergeMethod::kUpdate : MergeMethod::kReplace;
}

}  // namespace

Destination::Destination(const Assignment& assignment, Runner& runner, const Dialect& dialect, TableName table)
    : assignment_(&assignment), runner_(&runner), dialect_(&dialect), table_(std::move(table)) {
  key_ = key_of(assignment.key);
  staging_ = dialect.staging_table(key_);
}

Step<Destination> Destination::open(const Assignment& assignment, Runner& runner) {
  const auto& dest = assignment.module.dest;
  const auto* dialect = dialect_for(dest.jdbc_url);
  if (dialect == nullptr) {
    return StepError{"unsupported",
                     fmt::format("connection {}: destinations of this kind are not supported: {}", dest.name,
                                 jdbc_scheme(dest.jdbc_url)),
                     "supported destinations: jdbc:sqlite: and jdbc:postgresql:", false};
  }
  auto table = dialect->table(assignment.module.dest_table);
  if (!table) return StepError{"invalid", "dest_table: " + table.error().message, table.error().hint, false};
  return Destination(assignment, runner, *dialect, std::move(*table));
}

FenceKey Destination::key_of(RunKey key) const {
  return {assignment_->module.fence_name, table_.canonical, assignment_->store, key.run.value, key.epoch.value};
}

std::vector<int64_t> Destination::earlier_epochs() const {
  std::vector<int64_t> epochs;
  for (const auto epoch : assignment_->earlier) epochs.push_back(epoch.value);
  return epochs;
}

std::chrono::seconds Destination::limit() const {
  return std::max(std::chrono::seconds{1}, std::chrono::seconds{assignment_->claim_limit_ms / 1000});
}

CallResult Destination::call(const std::string& sql, Runner::Kind kind) {
  auto script = script_of(sql);
  script.kind = kind;
  auto result = runner_->query(script);
  // The name of the staging table means nothing to people.
  for (auto at = result.complaint.find(staging_.sql); at != std::string::npos;
       at = result.complaint.find(staging_.sql)) {
    result.complaint.replace(at, staging_.sql.size(), "the staging table");
  }
  return result;
}

Runner::Query Destination::script_of(const std::string& sql) const {
  Runner::Query script{assignment_->module.dest, sql};
  script.read_only = false;
  script.generated = true;
  return script;
}

StepError Destination::failed(const char* code, const std::string& what, const CallResult& result) const {
  StepError error{code, fmt::format("{}: {}", what, in_terms_of_the_table(result.describe())), result.hint};
  error.interruption = result.interruption;
  return error;
}

// The name of a staging table means nothing to people; it has the columns of theirs.
std::string Destination::in_terms_of_the_table(std::string text) const {
  const auto replace = [&](std::string_view name) {
    for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at)) {
      text.replace(at, name.size(), assignment_->module.dest_table);
      at += assignment_->module.dest_table.size();
    }
  };
  std::string_view name = staging_.sql;
  replace(name);
  name.remove_prefix(std::min(name.rfind('.') + 1, name.size()));
  if (name.starts_with('"') && name.ends_with('"') && name.size() > 2) name = name.substr(1, name.size() - 2);
  replace(name);
  return text;
}

StepError Destination::unreadable(const char* code, const std::string& what, const std::string& why) const {
  return {code, fmt::format("{} on {}: {}", what, assignment_->module.dest.name, why), kContract};
}

Step<FenceRow> Destination::read(const CallResult& result) const {
  const auto what = fmt::format("cannot lock {}", table_.sql);
  const auto csv = parse_csv(result.output);
  if (!csv) return unreadable("claim_failed", what, csv.error().message);
  const auto row = read_fence(*csv);
  if (!row) return unreadable("claim_failed", what, row.error().message);
  if (!*row) return unreadable("claim_failed", what, "the runner returned no row");
  return **row;
}

CallResult Destination::claim_once() {
  auto script = script_of(dialect_->claim_script(key_, limit()));
  script.quiet = true;  // the first claim of a destination fails because its tables do not exist: not for the log
  auto result = runner_->query(script);
  for (int i = 1; i < kRepeats && !result.ok() && dialect_->is_retryable(result.complaint); ++i) {
    result = runner_->query(script);
  }
  return result;
}

// The tables first: CREATE SCHEMA IF NOT EXISTS needs a privilege that the role may lack, even if an administrator has
// created the schema.
CallResult Destination::set_up() {
  auto script = script_of(dialect_->setup_script(false));
  script.quiet = true;
  auto made = runner_->query(script);
  if (made.ok() || made.interruption != Interruption::none || !dialect_->is_missing_fence(made.complaint)) return made;
  script.sql = dialect_->setup_script(true);
  return runner_->query(script);
}

// FENCE.md rule 3. Setup is not part of the claim: it may need privileges that the role lacks, if an administrator
// created the tables.
CallResult Destination::claim_with_setup() {
  auto result = claim_once();
  const bool helpless = result.ok() || result.interruption != Interruption::none ||
                        dialect_->setup_script(true).empty() || dialect_->is_lock_timeout(result.complaint);
  if (helpless) return result;
  const auto made = set_up();
  auto again = claim_once();
  // Without the tables the second claim only says that they are missing; the reason is in the error of the setup.
  if (!again.ok() && !made.ok() && dialect_->is_missing_fence(again.complaint)) again.complaint = made.describe();
  return again;
}

Step<std::monostate> Destination::take_over(const std::string& from_store) {
  const auto taken = call(dialect_->take_over_script(key_, from_store, limit()));
  if (!taken.ok()) return failed("take_over_failed", fmt::format("cannot take over {}", table_.sql), taken);
  const auto csv = parse_csv(taken.output);
  const auto row = csv ? read_fence(*csv) : Result<std::optional<FenceRow>>(csv.error());
  if (!row) return StepError{"take_over_failed", "cannot read the owner of the table: " + row.error().message};
  if (!*row) {
    return StepError{"not_found", fmt::format("no store has written to {} for module {}: there is nothing to take over",
                                              table_.sql, assignment_->module.name)};
  }
  if ((*row)->store == key_.store) return std::monostate{};
  return StepError{"not_found", fmt::format("{} is written by module {} of store {}, not of {}", table_.sql,
                                            assignment_->module.name, (*row)->store, from_store)};
}

bool Destination::end_holder() {
  const auto answer = call(dialect_->fence_script(key_));
  if (!answer.ok()) return false;
  const auto row = read(answer);
  if (std::holds_alternative<StepError>(row)) return false;
  auto holder = key_;
  holder.epoch = std::get<FenceRow>(row).epoch;
  if (holder.epoch >= key_.epoch) return false;
  bool ended = false;
  // The session may be of an earlier run of the module: its name has the run, the fence row only the epoch.
  std::vector<RunKey> suspects = assignment_->leftovers;
  for (const auto epoch : assignment_->earlier) suspects.push_back({assignment_->key.run, epoch});
  for (const auto& suspect : suspects) {
    if (suspect.epoch.value != holder.epoch) continue;
    const auto script = dialect_->end_session_script(dialect_->session_name(key_of(suspect)));
    ended = ended || (script && call(*script).ok());
  }
  return ended;
}

Step<Claim> Destination::claim() {
  FAILPOINT("worker.claim.before");
  auto result = claim_with_setup();
  if (!result.ok() && dialect_->is_lock_timeout(result.complaint) && end_holder()) result = claim_with_setup();
  FAILPOINT("worker.claim.after");
  if (!result.ok()) {
    if (dialect_->is_lock_timeout(result.complaint)) {
      return failed("claim_timeout",
                    fmt::format("an earlier merge into {} is still running after {} s", table_.sql, limit().count()),
                    result);
    }
    auto error =
        failed("claim_failed", fmt::format("cannot lock {} on {}", table_.sql, assignment_->module.dest.name), result);
    if (error.hint.empty()) error.hint = dialect_->missing_right(result.complaint);
    return error;
  }
  const auto answer = read(result);
  if (const auto* error = std::get_if<StepError>(&answer)) return *error;
  const auto& row = std::get<FenceRow>(answer);
  const auto earlier = earlier_epochs();
  switch (judge_claim(row, key_, earlier)) {
    case ClaimVerdict::kHeld:
      return Claim{};
    case ClaimVerdict::kAdopt:
      return Claim{true, row.row_count};
    case ClaimVerdict::kOtherStore:
      return StepError{"other_store",
                       fmt::format("{} is written by module {} of another Pipekit store ({})", table_.sql,
                                   assignment_->module.name, row.store),
                       fmt::format("two brokers may run this module, or the store was restored. When no broker with "
                                   "that store is running: pipekit-ctl module take-over {} --from {}",
                                   assignment_->module.name, row.store),
                       false};
    case ClaimVerdict::kLostHistory:
      return StepError{
          "store_put_back",
          "the destination has a merge of a run with this number that this store does not know: the store was replaced "
          "by an older copy",
          "restore the store as docs/OPERATING.md describes, so that it gets a new id", false};
    case ClaimVerdict::kStale:
      break;
  }
  return StepError{"stale_epoch",
                   fmt::format("a newer run or attempt of this module is writing to {}", table_.sql),
                   "",
                   false,
                   Interruption::none,
                   Epoch{row.epoch}};
}

bool Destination::drop_leftovers() {
  std::vector<TableName> tables;
  for (const auto& key : assignment_->leftovers) tables.push_back(dialect_->staging_table(key_of(key)));
  if (tables.empty()) return true;
  return call(dialect_->drop_staging_script(tables)).ok();
}

Step<std::monostate> Destination::inspect() {
  const auto result = call(dialect_->columns_script(table_));
  if (!result.ok()) return failed("inspect_failed", fmt::format("cannot read the columns of {}", table_.sql), result);
  const auto what = fmt::format("cannot read the columns of {}", table_.sql);
  const auto csv = parse_csv(result.output);
  if (!csv) return unreadable("inspect_failed", what, csv.error().message);
  auto facts = read_table(*csv);
  if (!facts) return unreadable("inspect_failed", what, facts.error().message);
  if (facts->columns.empty()) {
    return StepError{
        "no_table",
        fmt::format("the destination table {} does not exist on {}", table_.sql, assignment_->module.dest.name),
        "create it first, with the columns of the source query in order", false};
  }
  columns_ = writable(facts->columns);
  const auto names = names_of(columns_);
  const auto& module = assignment_->module;
  if (module.merge_strategy == "incremental" || module.unique_key || updates()) {
    auto key = resolve_key(module.merge_key, names);
    if (!key) return StepError{"invalid", key.error().message, key.error().hint, false};
    merge_key_ = std::move(*key);
  }
  for (const auto& sequence : facts->sequences) {
    if (sequence.open) sequences_.push_back({sequence.column, sequence.name});
    if (!sequence.open) closed_sequences_.push_back(sequence);
  }
  const auto hazard =
      merge_hazard(module.dest_table, *facts,
                   {strategy_of(module.merge_strategy), method_of(module.merge_method), module.truncate, merge_key_});
  if (hazard) return StepError{"referenced_table", hazard->message, hazard->hint, false};
  references_ = std::move(facts->references);
  return std::monostate{};
}

std::string Destination::merge_hint(const std::string& complaint) const {
  const auto& module = assignment_->module;
  if (updates() || module.merge_strategy == "append" || references_.empty()) return {};
  if (!dialect_->is_referenced(complaint)) return {};
  return fmt::format(
      "rows of {} refer to rows of {}, which the merge deletes and inserts again; set merge_method: update{} on the "
      "module: it updates rows in place and deletes only rows that are gone from the source",
      references_.front().table, module.dest_table, module.truncate ? " instead of truncate" : "");
}

Step<std::monostate> Destination::create_staging() {
  FAILPOINT("worker.staging.before");
  auto result = call(dialect_->create_staging_script(staging_, table_, columns_));
  // Without a fence no claim made the schema. CREATE SCHEMA IF NOT EXISTS needs a right that a role may lack, so only
  // now.
  if (!fenced() && !result.ok() && dialect_->is_missing_fence(result.complaint)) {
    result = call(dialect_->create_staging_script(staging_, table_, columns_, true));
  }
  FAILPOINT("worker.staging.after");
  if (!result.ok())
    return failed("staging_failed", fmt::format("cannot create a staging table for {}", table_.sql), result);
  return std::monostate{};
}

Step<Staged> Destination::verify() {
  const auto& module = assignment_->module;
  const bool count_present = module.merge_strategy == "full" && module.max_shrink_pct.has_value();
  const auto result = call(dialect_->preflight_script(staging_, table_, merge_key_, {count_present, updates()}));
  const auto what = fmt::format("cannot check the rows loaded for {}", table_.sql);
  if (!result.ok()) return failed("verification_failed", what, result);
  const auto csv = parse_csv(result.output);
  if (!csv) return unreadable("verification_failed", what, csv.error().message);
  const auto rows = number(*csv, "staged");
  if (!rows) return unreadable("verification_failed", what, "the runner printed no number of staged rows");
  return Staged{*rows, number(*csv, "null_keys").value_or(0), number(*csv, "duplicate_keys").value_or(0),
                number(*csv, "ambiguous_keys").value_or(0), number(*csv, "present")};
}

std::string Destination::merge_sql(int64_t staged_rows) const {
  MergePlan plan;
  plan.strategy = strategy_of(assignment_->module.merge_strategy);
  plan.dest = table_;
  plan.staging = staging_;
  plan.columns = names_of(columns_);
  plan.key = merge_key_;
  plan.truncate = assignment_->module.truncate;
  plan.staged_rows = staged_rows;
  plan.method = method_of(assignment_->module.merge_method);
  plan.sequences = sequences_;
  return fenced() ? dialect_->merge_script(key_, plan) : dialect_->merge_script_unfenced(plan);
}

CallResult Destination::merge(int64_t staged_rows) {
  FAILPOINT("worker.merge.before");
  auto result = call(merge_sql(staged_rows));
  FAILPOINT("worker.merge.after");
  return result;
}

Destination::Closed Destination::close() {
  if (!fenced()) return {};
  FAILPOINT("worker.close.before");
  CallResult result;
  for (int i = 0; i < kRepeats; ++i) {
    result = call(dialect_->close_script(key_, limit()), Runner::Kind::clean_up);
    if (result.ok() || !dialect_->is_retryable(result.complaint)) break;
  }
  FAILPOINT("worker.close.after");
  if (!result.ok()) return {};
  const auto csv = parse_csv(result.output);
  if (!csv) return {};
  const auto row = read_fence(*csv);
  if (!row) return {};
  const auto outcome = outcome_of(*row, key_, earlier_epochs());
  if (!outcome) return {};
  if (*outcome) return {Outcome::merged, **outcome};
  return {Outcome::not_merged, std::nullopt};
}

bool Destination::drop_staging() {
  FAILPOINT("worker.drop.before");
  const std::vector<TableName> tables{staging_};
  const bool dropped = call(dialect_->drop_staging_script(tables), Runner::Kind::clean_up).ok();
  FAILPOINT("worker.drop.after");
  return dropped;
}

}  // namespace pipekit::worker
