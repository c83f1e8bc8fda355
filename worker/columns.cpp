#include "worker/columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "worker/csv_cells.h"
#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

Error bad_key(std::string_view reason, const std::vector<std::string>& columns) {
  return {ErrorCode::kInvalid,
          fmt::format("merge_key: {}; the destination's columns are {}", reason, fmt::join(columns, ", ")),
          "name columns of the destination table in merge_key"};
}

// Words of an SQL text in upper case, past space and comments. A quoted name is one word: its quote, whatever it says.
class SqlWords {
 public:
  explicit SqlWords(std::string_view sql) : rest_(sql) {}

  std::string next() {
    skip_blank();
    if (rest_.empty()) return {};
    const char first = rest_.front();
    if (std::string_view("\"`['").find(first) != std::string_view::npos) return quoted(first == '[' ? ']' : first);
    size_t size = 0;
    while (size < rest_.size() && is_word(rest_[size])) ++size;
    auto word = std::string(rest_.substr(0, std::max<size_t>(size, 1)));
    rest_.remove_prefix(word.size());
    std::ranges::transform(word, word.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
    return word;
  }

 private:
  static bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c < 0;
  }

  void skip_blank() {
    for (;;) {
      const auto text = std::min(rest_.find_first_not_of(" \t\r\n\f"), rest_.size());
      rest_.remove_prefix(text);
      const std::string_view end = rest_.starts_with("--") ? "\n" : rest_.starts_with("/*") ? "*/" : "";
      if (end.empty()) return;
      const auto found = rest_.find(end, 2);
      rest_.remove_prefix(found == std::string_view::npos ? rest_.size() : found + end.size());
    }
  }

  std::string quoted(char close) {
    const std::string word(1, rest_.front());
    rest_.remove_prefix(1);
    for (;;) {
      const auto end = rest_.find(close);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      if (close == ']' || !rest_.starts_with(close)) return word;
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
};

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

Result<TableFacts> read_table(const Csv& answer) {
  TableFacts facts;
  CsvCells cells{answer};
  for (size_t row = 0; row < answer.rows.size(); ++row) {
    cells.select(row);
    const auto kind = cells.required_text("kind");
    const auto name = cells.required_text("name");
    const auto member = cells.text("member").value_or("");
    if (kind == "column" || kind == "identity") {
      facts.columns.push_back({name, cells.text("type").value_or(""), cells.flag("generated"), cells.flag("nullable"),
                               cells.flag("has_default"), kind == "identity"});
    } else if (kind == "reference" || kind == "self_reference") {
      facts.references.push_back({name, member, cells.text("on_delete").value_or(""),
                                  cells.text("on_update").value_or(""), kind == "self_reference"});
    } else if (kind == "delete_trigger" || (kind == "trigger_sql" && is_delete_trigger(member))) {
      facts.reactions.push_back({Reaction::Kind::delete_trigger, name});
    } else if (kind == "truncate_trigger") {
      facts.reactions.push_back({Reaction::Kind::truncate_trigger, name});
    } else if (kind == "delete_rule") {
      facts.reactions.push_back({Reaction::Kind::delete_rule, name});
    } else if (kind == "inheriting") {
      facts.reactions.push_back({Reaction::Kind::inheriting, name});
    } else if (kind == "sequence" || kind == "closed_sequence") {
      facts.sequences.push_back({member, name, kind == "sequence"});
    }
  }
  if (const auto checked = cells.check("the columns of the destination"); !checked) return checked.error();
  return facts;
}

bool is_delete_trigger(std::string_view sql) {
  SqlWords words(sql);
  words.next();                                 // CREATE
  if (words.next() != "TRIGGER") words.next();  // TEMP
  auto word = words.next();
  if (word == "IF") {
    words.next();
    words.next();
    word = words.next();
  }
  word = words.next();  // after the trigger's name
  if (word == ".") {
    words.next();
    word = words.next();
  }
  if (word == "INSTEAD") return false;
  if (word == "BEFORE" || word == "AFTER") word = words.next();
  return word == "DELETE";
}

std::vector<Column> writable(std::vector<Column> columns) {
  std::erase_if(columns, [](const Column& column) { return column.generated; });
  return columns;
}

std::vector<std::string> names_of(const std::vector<Column>& columns) {
  std::vector<std::string> names;
  for (const auto& column : columns) names.push_back(column.name);
  return names;
}

Result<std::vector<std::string>> resolve_key(const std::vector<std::string>& written,
                                             const std::vector<std::string>& columns) {
  std::vector<std::string> key;
  for (const auto& name : written) {
    auto column = resolve(name, columns);
    if (!column) return column.error();
    if (std::ranges::find(key, *column) != key.end())
      return bad_key(fmt::format("\"{}\" is listed twice", *column), columns);
    key.push_back(std::move(*column));
  }
  return key;
}

}  // namespace pipekit::worker
