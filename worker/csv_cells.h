// Typed access to a runner's answer: cells by column name, as numbers and flags. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/error.h"
#include "worker/csv.h"

namespace pipekit::worker {

// Reads the rows of an answer that must have certain columns. The first thing that is wrong is remembered and reported
// by check(), so that reading needs no checks.
class CsvCells {
 public:
  explicit CsvCells(const Csv& answer) : answer_(answer) {}

  // The row for the next reads.
  void select(size_t row) { row_ = row; }
  std::optional<std::string> text(std::string_view column);
  std::optional<int64_t> integer(std::string_view column);
  // Not NULL. Engines print truth as 1, t or true, falsehood as 0, f or false.
  bool flag(std::string_view column);
  std::string required_text(std::string_view column);
  int64_t required_integer(std::string_view column);

  // kExecutionFailed, naming row and column, when anything was missing or malformed; `what` names the answer.
  [[nodiscard]] Result<void> check(std::string_view what) const;

 private:
  void complain(std::string_view column, std::string_view reason);

  const Csv& answer_;
  size_t row_ = 0;
  std::string trouble_;
};

}  // namespace pipekit::worker
