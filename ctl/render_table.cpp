#include <algorithm>

#include "ctl/render.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

constexpr size_t kGap = 2;
constexpr size_t kNarrowest = 8;   // a column is not cut below this; it is left out instead
constexpr size_t kLongText = 100;  // in render_object: below its name
constexpr size_t kNameWidth = 24;

struct Laid {
  const Column* column = nullptr;
  std::string title;
  std::vector<Cell> cells;
  size_t width = 0;
};

Laid laid_out(const Column& column, const Json& rows, const Style& style) {
  Laid laid{&column, printable(column.title), {}, 0};
  laid.width = display_width(laid.title);
  for (const auto& row : rows) {
    auto cell = column.cell(row, style);
    cell.text = printable(cell.text);
    laid.width = std::max(laid.width, display_width(cell.text));
    laid.cells.push_back(std::move(cell));
  }
  return laid;
}

size_t total(const std::vector<Laid>& columns) {
  size_t sum = columns.empty() ? 0 : (columns.size() - 1) * kGap;
  for (const auto& column : columns) sum += column.width;
  return sum;
}

// The least important column first; of equals the rightmost.
std::vector<size_t> by_unimportance(const std::vector<Laid>& columns) {
  std::vector<size_t> order;
  for (size_t i = columns.size(); i-- > 0;) order.push_back(i);
  std::ranges::stable_sort(order, std::greater<>{}, [&](size_t i) { return columns[i].column->priority; });
  return order;
}

void shrink(std::vector<Laid>& columns, size_t width) {
  for (const size_t i : by_unimportance(columns)) {
    const size_t sum = total(columns);
    if (sum <= width) return;
    auto& column = columns[i];
    const bool whole = column.column->align == Align::right || column.column->fit == Fit::whole;  // a cut number lies
    if (whole || column.width <= kNarrowest) continue;
    const size_t floor = std::max(kNarrowest, display_width(column.title));
    if (column.width > floor) column.width = std::max(floor, column.width - std::min(column.width, sum - width));
  }
}

void leave_out(std::vector<Laid>& columns, size_t width) {
  while (total(columns) > width) {
    const size_t least = by_unimportance(columns).front();
    if (columns[least].column->priority == 0) return;
    columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(least));
  }
}

void leave_out_spare(std::vector<Laid>& columns, size_t width) {
  while (total(columns) > width) {
    const auto order = by_unimportance(columns);
    const auto least = std::ranges::find(order, Fit::spare, [&](size_t i) { return columns[i].column->fit; });
    if (least == order.end()) return;
    columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(*least));
  }
}

void fit(std::vector<Laid>& columns, size_t width) {
  if (width == 0) return;
  leave_out_spare(columns, width);
  auto whole = columns;
  shrink(columns, width);
  while (total(columns) > width) {
    const size_t least = by_unimportance(whole).front();
    if (whole[least].column->priority == 0) return leave_out(columns, width);
    whole.erase(whole.begin() + static_cast<std::ptrdiff_t>(least));
    columns = whole;
    shrink(columns, width);
  }
}

std::string padded(const Cell& cell, const Laid& column, bool last, const Style& style) {
  const auto text = cut(cell.text, column.width);
  const std::string space(column.width - std::min(column.width, display_width(text)), ' ');
  const auto shown = tinted(text, cell.tint, style);
  if (column.column->align == Align::right) return space + shown;
  return last ? shown : shown + space;
}

std::string line_of(const std::vector<Laid>& columns, const std::function<Cell(const Laid&)>& cell,
                    const Style& style) {
  std::string line;
  for (const auto& column : columns) {
    if (&column != &columns.front()) line.append(kGap, ' ');
    line += padded(cell(column), column, &column == &columns.back(), style);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string indented(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    out += "    " + printable(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool is_empty(const Json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
         (value.is_structured() && value.empty());
}

std::string field_text(const std::string& name, const Json& value, const Style& style) {
  if (name.ends_with("_at")) return time_text(value, style);
  return name.ends_with("id") ? plain_text(value) : number_text(value, style);
}

bool is_nested(const Json& value) {
  return value.is_object() ||
         (value.is_array() && std::ranges::any_of(value, [](const Json& item) { return item.is_structured(); }));
}

std::string field_line(const std::string& name, const Json& value, const Style& style) {
  if (is_nested(value)) return tinted(name, Tint::bold, style) + "\n" + indented(render_yaml(value));
  const auto text = field_text(name, value, style);
  const std::string space(kNameWidth - std::min(kNameWidth - 1, name.size()), ' ');
  if (text.find('\n') != std::string::npos || text.size() > kLongText) {
    return tinted(name, Tint::bold, style) + "\n" + indented(text);
  }
  return tinted(printable(name), Tint::bold, style) + space + printable(text) + "\n";
}

}  // namespace

std::string render_table(const std::vector<Column>& columns, const Json& rows, const Style& style) {
  if (!rows.is_array() || rows.empty()) return {};
  std::vector<Laid> laid;
  for (const auto& column : columns) laid.push_back(laid_out(column, rows, style));
  fit(laid, style.width);
  auto out = line_of(
      laid,
      [](const Laid& c) {
        return Cell{c.title, Tint::bold};
      },
      style);
  for (size_t i = 0; i < rows.size(); ++i) {
    out += line_of(
        laid, [i](const Laid& c) { return c.cells[i]; }, style);
  }
  return out;
}

std::string render_object(const std::vector<std::string>& order, const Json& object, const Style& style) {
  if (!object.is_object()) return plain_text(object) + "\n";
  std::string out;
  for (const auto& name : order) {
    const auto found = object.find(name);
    if (found != object.end() && !is_empty(*found)) out += field_line(name, *found, style);
  }
  for (const auto& [name, value] : object.items()) {
    if (!is_empty(value) && std::ranges::find(order, name) == order.end()) out += field_line(name, value, style);
  }
  return out;
}

}  // namespace pipekit::ctl
