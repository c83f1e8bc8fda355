// What one attempt does with its destination: the fence, staging, verification and merge, each as calls of the runner
// (FENCE.md). On the executor's thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/protocol.h"
#include "worker/columns.h"
#include "worker/dialect/dialect.h"
#include "worker/fence.h"
#include "worker/merge_hazard.h"
#include "worker/runner.h"

namespace pipekit::worker {

// What ends an attempt early. `code` is a word of WireError.
struct StepError {
  std::string code;
  std::string message;
  std::string hint{};
  bool retryable = true;
  Interruption interruption = Interruption::none;
  Epoch fence_epoch{};
};

template <class T>
using Step = std::variant<T, StepError>;

struct Claim {
  bool adopted = false;                // an earlier attempt of this run has merged
  std::optional<int64_t> row_count{};  // of the adopted merge
};

struct Staged {
  int64_t rows = 0;
  int64_t null_keys = 0;
  int64_t duplicate_keys = 0;
  int64_t ambiguous_keys = 0;        // merge_method: update: keys that several rows of the destination have
  std::optional<int64_t> present{};  // rows of the destination, where it was asked for
};

class Destination {
 public:
  // An unknown engine or a bad table name is a StepError.
  static Step<Destination> open(const Assignment& assignment, Runner& runner);

  Step<Claim> claim();
  // An operator decided so: the fence of `from_store` becomes the assignment's store's.
  Step<std::monostate> take_over(const std::string& from_store);
  // Best effort; false when something may be left.
  bool drop_leftovers();
  // Reads the table's columns and what depends on its rows, settles the merge key's names, and refuses a merge that
  // would touch other rows than its own.
  Step<std::monostate> inspect();
  // Sequences that fill columns and that the role may not advance.
  [[nodiscard]] const std::vector<Sequence>& closed_sequences() const { return closed_sequences_; }
  Step<std::monostate> create_staging();
  Step<Staged> verify();
  [[nodiscard]] std::string merge_sql(int64_t staged_rows) const;
  CallResult merge(int64_t staged_rows);
  // What to do where a merge failed with this complaint; else empty.
  [[nodiscard]] std::string merge_hint(const std::string& complaint) const;
  bool drop_staging();

  enum class Outcome { merged, not_merged, unknown };
  struct Closed {
    Outcome outcome = Outcome::unknown;
    std::optional<int64_t> row_count{};
  };
  // After a merge call that did not exit 0: closes the epoch and reads the result.
  Closed close();

  [[nodiscard]] bool fenced() const { return assignment_->module.dest.fence != "none"; }
  [[nodiscard]] bool updates() const { return assignment_->module.merge_method == "update"; }
  [[nodiscard]] const TableName& staging() const { return staging_; }
  // A message of the runner, with the destination's name in place of that of its staging table.
  [[nodiscard]] std::string in_terms_of_the_table(std::string text) const;

 private:
  Destination(const Assignment& assignment, Runner& runner, const Dialect& dialect, TableName table);

  CallResult call(const std::string& sql, Runner::Kind kind = Runner::Kind::work);
  [[nodiscard]] Runner::Query script_of(const std::string& sql) const;
  [[nodiscard]] StepError unreadable(const char* code, const std::string& what, const std::string& why) const;
  Step<FenceRow> read(const CallResult& result) const;
  CallResult claim_once();
  CallResult set_up();
  CallResult claim_with_setup();
  // The merge of a lost attempt still runs in the server: ends its session, where that is possible.
  bool end_holder();
  [[nodiscard]] StepError failed(const char* code, const std::string& what, const CallResult& result) const;
  [[nodiscard]] FenceKey key_of(RunKey key) const;
  [[nodiscard]] std::vector<int64_t> earlier_epochs() const;
  [[nodiscard]] std::chrono::seconds limit() const;

  const Assignment* assignment_;
  Runner* runner_;
  const Dialect* dialect_;
  TableName table_;
  FenceKey key_;
  TableName staging_;
  std::vector<Column> columns_;
  std::vector<std::string> merge_key_;
  std::vector<ColumnSequence> sequences_;
  std::vector<Sequence> closed_sequences_;
  std::vector<Reference> references_;
};

}  // namespace pipekit::worker
