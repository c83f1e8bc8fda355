// Reads what a runner prints in query mode: RFC 4180, header first; an empty unquoted field is NULL, `""` the empty
// string. Pure. Accepts LF and CRLF and a last line without its end; a quoted field may span lines. Bounded by the
// caller's limits, because what comes here may be anything that an operator's runner prints.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"

namespace pipekit::worker {

struct CsvLimits {
  size_t bytes = size_t{16} << 20;
  size_t rows = 100'000;
  size_t columns = 5'000;
};

struct Csv {
  using Field = std::optional<std::string>;
  using Row = std::vector<Field>;

  std::vector<std::string> header;
  std::vector<Row> rows;  // each as wide as the header

  // Engines and drivers print names in their own case, so case is not looked at (ASCII).
  [[nodiscard]] std::optional<size_t> column(std::string_view name) const;
};

// kExecutionFailed, naming the line, when the text is no CSV: the runner, not the user, is wrong. No text at all is an
// error too: the header is printed even when there is no row.
Result<Csv> parse_csv(std::string_view text, const CsvLimits& limits = {});

}  // namespace pipekit::worker
