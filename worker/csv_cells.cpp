#include "worker/csv_cells.h"

#include <fmt/format.h>

#include <charconv>

#include "worker/dialect/quoting.h"

namespace pipekit::worker {

std::optional<std::string> CsvCells::text(std::string_view column) {
  const auto at = answer_.column(column);
  if (!at) {
    complain(column, "is missing");
    return std::nullopt;
  }
  return answer_.rows.at(row_)[*at];
}

std::optional<int64_t> CsvCells::integer(std::string_view column) {
  const auto cell = text(column);
  if (!cell) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(cell->data(), cell->data() + cell->size(), value);
  if (error == std::errc{} && end == cell->data() + cell->size()) return value;
  complain(column, fmt::format("is \"{}\", not a whole number", cell->substr(0, 80)));
  return std::nullopt;
}

bool CsvCells::flag(std::string_view column) {
  const auto cell = ascii_lower(required_text(column));
  const bool yes = cell == "1" || cell == "t" || cell == "true";
  if (!yes && cell != "0" && cell != "f" && cell != "false") complain(column, "is neither 1 nor 0");
  return yes;
}

std::string CsvCells::required_text(std::string_view column) {
  auto cell = text(column);
  if (!cell) complain(column, "is NULL");
  return std::move(cell).value_or("");
}

int64_t CsvCells::required_integer(std::string_view column) {
  const auto cell = integer(column);
  if (!cell) complain(column, "is NULL");
  return cell.value_or(0);
}

Result<void> CsvCells::check(std::string_view what) const {
  if (trouble_.empty()) return {};
  return Error{ErrorCode::kExecutionFailed, fmt::format("the runner's answer to {} cannot be used: {}", what, trouble_),
               "use pipekit-jrunner, or a runner that prints what docs/CONTRACT.md says"};
}

void CsvCells::complain(std::string_view column, std::string_view reason) {
  if (trouble_.empty()) trouble_ = fmt::format("{} in row {} {}", column, row_ + 1, reason);
}

}  // namespace pipekit::worker
