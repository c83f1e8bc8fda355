// One attempt's dealings with its destination: the fence, staging, verification and merge, each as calls of the runner
// (FENCE.md). On the executor's thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/protocol.h"
#include "worker/columns.h"
#include "worker/dialect/dialect.h"
#include "worker/fence.h"
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
  std::optional<int64_t> present{};  // rows of the destination, where it was asked for
};

class Destination {
 public:
  // An unknown engine or a bad table name is a StepError.
  static Step<Destination> open(const Assignment& assignment, Runner& runner);

  Step<Claim> claim();
  // On an operator's word: the fence of `from_store` becomes the assignment's store's.
  Step<std::monostate> take_over(const std::string& from_store);
  // Best effort; false when something may still stand.
  bool drop_leftovers();
  // Reads the table's columns and settles the merge key's names.
  Step<std::monostate> inspect();
  Step<std::monostate> create_staging();
  Step<Staged> verify();
  [[nodiscard]] std::string merge_sql(int64_t staged_rows) const;
  CallResult merge(int64_t staged_rows);
  bool drop_staging();

  enum class Outcome { merged, not_merged, unknown };
  struct Closed {
    Outcome outcome = Outcome::unknown;
    std::optional<int64_t> row_count{};
  };
  // After a merge call that did not exit 0: closes the epoch and believes what stands there then.
  Closed close();

  [[nodiscard]] bool fenced() const { return assignment_->module.dest.fence != "none"; }
  [[nodiscard]] const TableName& staging() const { return staging_; }
  // A message of the runner, with the destination's name in place of that of its staging table.
  [[nodiscard]] std::string in_terms_of_the_table(std::string text) const;

 private:
  Destination(const Assignment& assignment, Runner& runner, const Dialect& dialect, TableName table);

  CallResult call(const std::string& sql, Runner::Kind kind = Runner::Kind::work);
  [[nodiscard]] StepError unreadable(const char* code, const std::string& what, const std::string& why) const;
  Step<FenceRow> read(const CallResult& result) const;
  CallResult claim_once();
  CallResult set_up();
  CallResult claim_with_setup();
  // The merge of an attempt that is gone still runs in the server: ends its session, where that can be done.
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
  std::vector<std::string> columns_;
  std::vector<std::string> merge_key_;
};

}  // namespace pipekit::worker
