// Finds the number of rows in a runner's stdout while it streams by: the last matching line counts. One thread; keeps
// one number, however long the output.
//
// By default a line matches that has a whole number before the word `row` or `rows` (any case), and its first such
// number counts. Thousands may be separated into groups of three by `,` `.` `'` or a narrow or no-break space, the same
// throughout: "1,234,567 rows". An ordinary blank separates nothing, or "table 3 500 rows" would be 3500; "2.50 rows",
// "-1 rows" and "5000 rows/s" do not match. With an operator's pattern (shared/pattern.h) the text of its group is read
// in the same way, there also with blanks between groups of digits; where it is no number, the line does not match.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/error.h"
#include "shared/pattern.h"

namespace pipekit::worker {

class RowCount {
 public:
  RowCount() = default;
  // kInvalid for a pattern that Pattern refuses.
  static Result<RowCount> with_pattern(const std::string& pattern);

  // One line without its end. Only its first 4 KiB are looked at.
  void feed(std::string_view line);
  [[nodiscard]] std::optional<int64_t> result() const { return last_; }

 private:
  explicit RowCount(Pattern pattern);
  [[nodiscard]] std::optional<int64_t> by_pattern(std::string_view line) const;

  std::optional<Pattern> pattern_;  // none: the default
  std::optional<int64_t> last_;
};

}  // namespace pipekit::worker
