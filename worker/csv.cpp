#include "worker/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

Error refuse(size_t line, std::string_view reason) {
  return {ErrorCode::kExecutionFailed, fmt::format("the runner's output is not CSV, line {}: {}", line, reason),
          "in query mode a runner must print CSV and nothing else on stdout (docs/CONTRACT.md)"};
}

class CsvParser {
 public:
  CsvParser(std::string_view text, const CsvLimits& limits) : text_(text), limits_(limits) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  Result<Csv> parse() {
    Csv csv;
    auto header = record();
    if (!header) return header.error();
    for (auto& name : *header) csv.header.push_back(std::move(name).value_or(""));
    while (at_ < text_.size()) {
      if (csv.header.size() > 1 && accept_line_end()) continue;
      if (csv.rows.size() == limits_.rows) return refuse(line_, fmt::format("more than {} rows", limits_.rows));
      const size_t line = line_;
      auto row = record();
      if (!row) return row.error();
      if (row->size() != csv.header.size()) {
        return refuse(line, fmt::format("{} fields where the header has {}", row->size(), csv.header.size()));
      }
      csv.rows.push_back(std::move(*row));
    }
    return csv;
  }

 private:
  Result<Csv::Row> record() {
    Csv::Row row;
    do {
      if (row.size() == limits_.columns) return refuse(line_, fmt::format("more than {} columns", limits_.columns));
      auto one = at_ < text_.size() && text_[at_] == '"' ? quoted() : bare();
      if (!one) return one.error();
      row.push_back(std::move(*one));
    } while (accept(','));
    if (at_ < text_.size() && !accept_line_end()) return refuse(line_, "text after a closing quote");
    return row;
  }

  Result<Csv::Field> bare() {
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && !at_line_end()) {
      if (text_[at_] == '"') return refuse(line_, "a quote inside a field that does not begin with one");
      ++at_;
    }
    if (at_ == begin) return Csv::Field{};
    return Csv::Field{text_.substr(begin, at_ - begin)};
  }

  Result<Csv::Field> quoted() {
    const size_t opened = line_;
    std::string value;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        if (at_ == text_.size() || text_[at_] != '"') return Csv::Field{std::move(value)};
      } else if (text_[at_] == '\n') {
        ++line_;
      }
      value += text_[at_];
    }
    return refuse(opened, "a quoted field begins here and does not end");
  }

  [[nodiscard]] bool at_line_end() const { return text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n"); }
  bool accept_line_end() {
    if (!at_line_end()) return false;
    at_ += text_[at_] == '\n' ? 1 : 2;
    ++line_;
    return true;
  }
  bool accept(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  CsvLimits limits_;
  size_t at_ = 0;
  size_t line_ = 1;
};

}  // namespace

std::optional<size_t> Csv::column(std::string_view name) const {
  const auto wanted = ascii_lower(name);
  const auto found = std::ranges::find_if(header, [&](const auto& each) { return ascii_lower(each) == wanted; });
  if (found == header.end()) return std::nullopt;
  return static_cast<size_t>(found - header.begin());
}

Result<Csv> parse_csv(std::string_view text, const CsvLimits& limits) {
  if (text.empty()) return refuse(1, "it is empty, without even a header");
  if (text.size() > limits.bytes) return refuse(1, fmt::format("it is longer than {} bytes", limits.bytes));
  return CsvParser{text, limits}.parse();
}

}  // namespace pipekit::worker
