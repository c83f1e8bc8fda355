// Finds the number of rows in a runner's stdout while it streams by: the last matching line counts. One thread; keeps
// one number, however long the output.
//
// By default a line matches that has a number before the word `row` or `rows`, and the line's first such number counts.
// Thousands may be separated in groups of three by one and the same of `,` `.` `'` `_` or a space (also U+00A0,
// U+202F): "1,234,567 rows". Groups that are not of three are no separators: "2.50 rows" has no whole number of rows
// and does not match, "took 3 1,000 rows" is 1000. With a regular expression of the operator's (POSIX extended, one
// group) the group's text is read in the same way, and a match whose group is no number is not counted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shared/error.h"

namespace pipekit::worker {

class RowCount {
 public:
  RowCount();
  // kUsage, with the compiler's words, for an expression that does not compile or has other than one group.
  static Result<RowCount> with_pattern(const std::string& pattern);
  RowCount(RowCount&&) noexcept;
  RowCount& operator=(RowCount&&) noexcept;
  ~RowCount();

  // One line without its end. Only its first 4 KiB are looked at.
  void feed(std::string_view line);
  [[nodiscard]] std::optional<int64_t> result() const { return last_; }

 private:
  class Pattern;
  explicit RowCount(std::unique_ptr<Pattern> pattern);

  std::unique_ptr<Pattern> pattern_;  // null: the default
  std::optional<int64_t> last_;
};

}  // namespace pipekit::worker
