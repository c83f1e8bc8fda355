#include "ctl/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ctl/human.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

constexpr auto kFormats = std::to_array<std::pair<std::string_view, Format>>(
    {{"table", Format::table}, {"json", Format::json}, {"yaml", Format::yaml}, {"csv", Format::csv}});

std::string_view escape_of(Tint tint) {
  switch (tint) {
    case Tint::bold:
      return "\x1b[1m";
    case Tint::dim:
      return "\x1b[2m";
    case Tint::good:
      return "\x1b[32m";
    case Tint::bad:
      return "\x1b[31m";
    case Tint::warn:
      return "\x1b[33m";
    case Tint::live:
      return "\x1b[36m";
    default:
      return "";
  }
}

const Json& field_of(const Json& row, const std::string& field) {
  static const Json kNull;
  if (!row.is_object()) return kNull;
  const auto found = row.find(field);
  return found == row.end() ? kNull : *found;
}

std::optional<WallTime> time_of(const Json& value) {
  if (value.is_number_integer()) return from_ms(value.get<int64_t>());
  if (value.is_string()) return parse_iso(value.get_ref<const std::string&>());
  return std::nullopt;
}

}  // namespace

std::optional<Format> format_from(std::string_view word) {
  const auto* found = std::ranges::find(kFormats, word, &std::pair<std::string_view, Format>::first);
  if (found == kFormats.end()) return std::nullopt;
  return found->second;
}

std::string tinted(std::string_view text, Tint tint, const Style& style) {
  if (!style.colour || tint == Tint::plain || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", escape_of(tint), text);
}

std::string render_json(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string render_json_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string plain_text(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (!value.is_array() || std::ranges::any_of(value, [](const Json& item) { return item.is_structured(); })) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  std::string joined;
  for (const auto& item : value) joined += (joined.empty() ? "" : ", ") + plain_text(item);
  return joined;
}

std::string time_text(const Json& value, const Style& style) {
  const auto time = time_of(value);
  if (!time) return plain_text(value);
  return style.people ? ago_text(*time, style.now) : to_iso(*time);
}

std::string number_text(const Json& value, const Style& style) {
  if (!value.is_number_integer() || !style.people) return plain_text(value);
  return with_thousands(value.get<int64_t>());
}

Tint status_tint(std::string_view status) {
  if (status == "success" || status == "dry_run" || status == "connected") return Tint::good;
  if (status == "error" || status == "lost") return Tint::bad;
  if (status == "cancelled" || status == "draining" || status == "drained" || status == "silent") return Tint::warn;
  return status == "running" || status == "queued" ? Tint::live : Tint::plain;
}

std::string_view status_mark(std::string_view status) {
  if (status == "success" || status == "dry_run") return "✔";
  if (status == "error" || status == "cancelled") return "✗";
  if (status == "running") return "▶";
  return status == "queued" ? "…" : "○";
}

Column text_column(std::string title, std::string field, int priority, Fit fit) {
  auto cell = [field](const Json& row, const Style&) { return Cell{plain_text(field_of(row, field))}; };
  return {std::move(title), cell, Align::left, priority, fit};
}

Column number_column(std::string title, std::string field, int priority) {
  auto cell = [field](const Json& row, const Style& style) { return Cell{number_text(field_of(row, field), style)}; };
  return {std::move(title), cell, Align::right, priority};
}

Column time_column(std::string title, std::string field, int priority) {
  auto cell = [field](const Json& row, const Style& style) { return Cell{time_text(field_of(row, field), style)}; };
  return {std::move(title), cell, Align::left, priority};
}

Column status_column(std::string title, std::string field, int priority) {
  auto cell = [field](const Json& row, const Style&) {
    const auto status = plain_text(field_of(row, field));
    return Cell{status, status_tint(status)};
  };
  return {std::move(title), cell, Align::left, priority};
}

Column duration_column(std::string title, std::string from, std::string to, int priority) {
  auto cell = [from, to](const Json& row, const Style& style) {
    const auto start = time_of(field_of(row, from));
    if (!start) return Cell{};
    return Cell{duration_text(time_of(field_of(row, to)).value_or(style.now) - *start)};
  };
  return {std::move(title), cell, Align::right, priority};
}

}  // namespace pipekit::ctl
