// What a verb answers, as text: tables for people, JSON, YAML and CSV (RFC 4180) for programs. Pure: the terminal's
// width, whether there are colours, and the time arrive as a Style. Every text ends with a newline or is empty.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/clock.h"
#include "shared/protocol.h"

namespace pipekit::ctl {

enum class Format { table, json, yaml, csv };
std::optional<Format> format_from(std::string_view word);

struct Style {
  size_t width = 0;     // columns; 0: not truncated (a pipe)
  bool colour = false;  // marks for colours (tinted)
  bool people = false;  // a terminal: "2m ago" and 1,234; else ISO times and plain digits
  WallTime now{};
};

enum class Tint { plain, bold, dim, good, bad, warn, live };
// The text between marks, which Output turns into colours. A mark begins with a byte that is in no UTF-8 text, and the
// text is escaped first, so that nothing in it can be taken for one.
std::string tinted(std::string_view text, Tint tint, const Style& style);
inline constexpr char kTintMark = '\xFF';
inline constexpr char kTintEnd = '.';

struct Cell {
  std::string text;
  Tint tint = Tint::plain;
};

enum class Align { left, right };

// What happens to a column when the table is too wide: it is left out before any other is cut; it is never cut (a
// number never is); or it is cut.
enum class Fit { spare, whole, cut };

// One column of a table: how a row (a JSON object) becomes a cell, and how much it matters. When the table is too wide
// the column of the highest `priority` is cut first, then left out; priority 0 is never left out.
struct Column {
  std::string title;
  std::function<Cell(const Json& row, const Style& style)> cell;
  Align align = Align::left;
  int priority = 1;
  Fit fit = Fit::cut;
};

// Columns that read one field.
Column text_column(std::string title, std::string field, int priority = 1, Fit fit = Fit::cut);
Column number_column(std::string title, std::string field, int priority = 1);
Column time_column(std::string title, std::string field, int priority = 1);
// The time itself, on a terminal in its time zone.
Column clock_column(std::string title, std::string field, int priority = 1);
// When a schedule or a group fires next, or why it does not.
Column next_column(int priority = 1);
Column status_column(std::string title, std::string field, int priority = 0);
// The text of an error, and its code in brackets.
Column error_column(std::string title, std::string field, std::string code_field, int priority = 1, Fit fit = Fit::cut);
// From one time to another; a run that has not ended counts to now.
Column duration_column(std::string title, std::string from, std::string to, int priority = 1);

// `rows` is an array of objects. No rows: nothing, not even the titles.
std::string render_table(const std::vector<Column>& columns, const Json& rows, const Style& style);

// "name  value" lines of one object; long texts (SQL, logs) follow below their names, indented. Fields that are named
// come first in their order, the others after them by name; null and empty ones are left out.
std::string render_object(const std::vector<std::string>& order, const Json& object, const Style& style);

std::string render_json(const Json& value);       // indented by 2
std::string render_json_line(const Json& value);  // one line
std::string render_yaml(const Json& value);       // one document
// `fields` first, then the other fields that rows have, by name. One object is a table of one row; without rows there
// is the header.
std::string render_csv(const std::vector<std::string>& fields, const Json& value);
// One record of RFC 4180. A spreadsheet would take a text that begins with = + - @ for a formula: a ' is put before it,
// unless the text is a number.
std::string csv_record(const std::vector<std::string>& values);

// A value as a person reads it: no quotes, lists with commas, yes and no.
std::string plain_text(const Json& value);
// ISO text or milliseconds; empty for null. time_text is relative on a terminal ("2m ago"), clock_text is not.
std::string clock_text(const Json& value, const Style& style);
std::string time_text(const Json& value, const Style& style);
std::string number_text(const Json& value, const Style& style);
// "success", "success, 1 hook failed".
std::string outcome_text(const Json& row, const std::string& status_field, const std::string& hooks_field);
Tint status_tint(std::string_view status);
std::string_view status_mark(std::string_view status);  // ✔ ✗ ○ ▶ …

}  // namespace pipekit::ctl
