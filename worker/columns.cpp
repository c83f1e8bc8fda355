#include "worker/columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "worker/csv_cells.h"
#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

Error bad_key(std::string_view reason, const std::vector<std::string>& columns) {
  return {ErrorCode::kInvalid,
          fmt::format("merge_key: {}; the destination's columns are {}", reason, fmt::join(columns, ", ")),
          "name columns of the destination table in merge_key"};
}

Result<std::string> resolve(const std::string& written, const std::vector<std::string>& columns) {
  if (std::ranges::find(columns, written) != columns.end()) return written;
  std::vector<std::string> alike;
  std::ranges::copy_if(columns, std::back_inserter(alike),
                       [&](const auto& column) { return ascii_lower(column) == ascii_lower(written); });
  if (alike.empty()) return bad_key(fmt::format("there is no column \"{}\"", written), columns);
  if (alike.size() > 1)
    return bad_key(fmt::format("\"{}\" may be any of {}", written, fmt::join(alike, ", ")), columns);
  return alike.front();
}

}  // namespace

Result<std::vector<Column>> read_columns(const Csv& answer) {
  std::vector<Column> columns;
  CsvCells cells{answer};
  for (size_t row = 0; row < answer.rows.size(); ++row) {
    cells.select(row);
    columns.push_back({cells.required_text("name"), cells.text("type").value_or(""), cells.flag("generated"),
                       cells.flag("nullable"), cells.flag("has_default")});
  }
  if (const auto checked = cells.check("the columns of the destination"); !checked) return checked.error();
  return columns;
}

std::vector<std::string> writable(const std::vector<Column>& columns) {
  std::vector<std::string> names;
  for (const auto& column : columns) {
    if (!column.generated) names.push_back(column.name);
  }
  return names;
}

Result<std::vector<std::string>> resolve_key(const std::vector<std::string>& written,
                                             const std::vector<std::string>& columns) {
  std::vector<std::string> key;
  for (const auto& name : written) {
    auto column = resolve(name, columns);
    if (!column) return column.error();
    if (std::ranges::find(key, *column) != key.end())
      return bad_key(fmt::format("\"{}\" stands twice", *column), columns);
    key.push_back(std::move(*column));
  }
  return key;
}

}  // namespace pipekit::worker
