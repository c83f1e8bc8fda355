#include "ctl/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ctl/human.h"
#include "ctl/width.h"
#include "shared/plural.h"
#include "shared/terminal_text.h"

namespace pipekit::ctl {
namespace {

constexpr auto kFormats = std::to_array<std::pair<std::string_view, Format>>(
    {{"table", Format::table}, {"json", Format::json}, {"yaml", Format::yaml}, {"csv", Format::csv}});

char mark_of(Tint tint) {
  switch (tint) {
    case Tint::bold:
      return 'b';
    case Tint::dim:
      return 'd';
    case Tint::good:
      return 'g';
    case Tint::bad:
      return 'r';
    case Tint::warn:
      return 'y';
    default:
      return 'c';
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
  return std::string{kTintMark, mark_of(tint)} + terminal_text(text) + std::string{kTintMark, kTintEnd};
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

std::string clock_text(const Json& value, const Style& style) {
  const auto time = time_of(value);
  if (!time) return plain_text(value);
  return style.people ? local_text(*time) : to_iso(*time);
}

std::string number_text(const Json& value, const Style& style) {
  if (!value.is_number_integer() || !style.people) return plain_text(value);
  return with_thousands(value.get<int64_t>());
}

std::string outcome_text(const Json& row, const std::string& status_field, const std::string& hooks_field) {
  auto status = plain_text(field_of(row, status_field));
  const auto& failed = field_of(row, hooks_field);
  if (!failed.is_number_integer() || failed.get<int64_t>() <= 0) return status;
  return fmt::format("{}, {} failed", status, count_of(failed.get<int64_t>(), "hook"));
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

Column clock_column(std::string title, std::string field, int priority) {
  auto cell = [field](const Json& row, const Style& style) { return Cell{clock_text(field_of(row, field), style)}; };
  return {std::move(title), cell, Align::left, priority};
}

Column next_column(int priority) {
  auto cell = [](const Json& row, const Style& style) {
    const auto next = time_text(field_of(row, "next_fire_at"), style);
    const auto reason = plain_text(field_of(row, "does_not_fire"));
    if (reason.empty()) return Cell{next};
    return Cell{fmt::format("{}{}does not fire: {}", next, next.empty() ? "" : "; ", reason), Tint::bad};
  };
  return {"NEXT", cell, Align::left, priority};
}

Column status_column(std::string title, std::string field, int priority) {
  auto cell = [field](const Json& row, const Style&) {
    const auto status = plain_text(field_of(row, field));
    const auto outcome = outcome_text(row, field, "hooks_failed");
    return Cell{outcome, outcome == status ? status_tint(status) : Tint::warn};
  };
  return {std::move(title), cell, Align::left, priority};
}

Column error_column(std::string title, std::string field, std::string code_field, int priority, Fit fit) {
  auto cell = [field, code_field](const Json& row, const Style&) {
    const auto text = plain_text(field_of(row, field));
    const auto code = plain_text(field_of(row, code_field));
    if (text.empty() || code.empty()) return Cell{text.empty() ? code : text, Tint::bad};
    return Cell{fmt::format("{} ({})", text, code), Tint::bad};
  };
  return {std::move(title), cell, Align::left, priority, fit};
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
