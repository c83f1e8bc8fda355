// Input: what a runner printed in query mode.
#include "worker/csv.h"

#include "tests/fuzz/input.h"
#include "worker/columns.h"
#include "worker/csv_cells.h"

namespace {

using namespace pipekit;
using fuzz::require;

void write(const worker::Csv::Field& field, std::string& out) {
  if (!field) return;
  out += '"';
  for (const char c : *field) out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

std::string written(const worker::Csv& csv) {
  std::string out;
  const auto line = [&](const auto& fields) {
    for (size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) out += ',';
      write(fields[i], out);
    }
    out += '\n';
  };
  line(csv.header);
  for (const auto& row : csv.rows) line(row);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const worker::CsvLimits limits{.bytes = 2048, .rows = 100, .columns = 20};
  const auto csv = worker::parse_csv(fuzz::Input(data, size).rest(), limits);
  if (!csv) return 0;
  require(csv->rows.size() <= limits.rows && csv->header.size() <= limits.columns, "limits are kept");
  for (const auto& row : csv->rows) require(row.size() == csv->header.size(), "rows are as wide as the header");
  const auto again = worker::parse_csv(written(*csv));
  require(again.ok() && again->header == csv->header && again->rows == csv->rows, "cells read back as they are");
  worker::CsvCells cells{*csv};
  for (size_t row = 0; row < csv->rows.size(); ++row) {
    cells.select(row);
    for (const auto& name : csv->header) cells.required_integer(name);
  }
  require(cells.check("it").ok() || !csv->rows.empty(), "without rows nothing is wrong");
  if (const auto facts = worker::read_table(*csv)) {
    require(facts->columns.size() + facts->references.size() + facts->reactions.size() + facts->sequences.size() <=
                csv->rows.size(),
            "a row is one fact at most");
    require(worker::writable(facts->columns).size() <= facts->columns.size(), "each row is a column");
  }
  return 0;
}
