// Rows passed from the reader's thread to the writer's. The destination chooses the form of a batch: cells for SQLite,
// lines of COPY's text format for PostgreSQL. Rows between two PostgreSQL servers are not parsed at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pipekit::jrunner {

enum class CellKind : uint8_t {
  kNull,
  kInteger,
  kReal,
  kText,
  kOpaque,   // text of a type that is neither text nor a number: money, times, ranges, JSON
  kDecimal,  // the text of a number; SQLite may store it as a number if no digit is lost
  kBlob,
};

struct Cell {
  CellKind kind = CellKind::kNull;
  size_t size = 0;  // of text and blobs
  union {
    int64_t integer = 0;
    double real;
    size_t offset;  // in the batch's bytes
  };
};

struct RowBatch {
  static constexpr size_t kFullBytes = size_t{256} * 1024;
  static constexpr size_t kFullCells = size_t{16} * 1024;

  uint64_t rows = 0;
  std::vector<Cell> cells{};
  std::string bytes{};  // what the cells refer to, or COPY lines

  [[nodiscard]] bool full() const { return bytes.size() >= kFullBytes || cells.size() >= kFullCells; }
  [[nodiscard]] size_t footprint() const { return bytes.size() + cells.size() * sizeof(Cell); }
  [[nodiscard]] std::string_view view(const Cell& cell) const { return {bytes.data() + cell.offset, cell.size}; }

  void add_null() { cells.emplace_back(); }
  void add_integer(int64_t value) { cells.emplace_back(Cell{CellKind::kInteger, 0, {value}}); }
  void add_real(double value) {
    auto& cell = cells.emplace_back();
    cell.kind = CellKind::kReal;
    cell.real = value;
  }
  void add_bytes(CellKind kind, std::string_view value) {
    auto& cell = cells.emplace_back();
    cell.kind = kind;
    cell.size = value.size();
    cell.offset = bytes.size();
    bytes += value;
  }
  void clear() {
    rows = 0;
    cells.clear();
    bytes.clear();
  }
};

}  // namespace pipekit::jrunner
