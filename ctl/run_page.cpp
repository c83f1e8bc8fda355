#include "ctl/run_page.h"

#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/human.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

constexpr size_t kHeadLines = 20;

std::string titled(std::string_view title, const std::string& body, const Style& style) {
  if (body.empty()) return {};
  return fmt::format("\n{}\n{}", tinted(title, Tint::bold, style), body);
}

std::string lines_below(std::string_view text, size_t limit) {
  std::string out;
  for (size_t shown = 0; !text.empty(); ++shown) {
    if (shown == limit) return out + "  ...\n";
    const auto end = text.find('\n');
    out += "  " + printable(text.substr(0, end)) + "\n";
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

std::string with_ago(const Json& run, std::string_view field, const Style& style) {
  const auto text = text_in(run, field);
  const auto time = parse_iso(text);
  if (!time || !style.people) return text;
  return fmt::format("{}  ({})", local_text(*time), ago_text(*time, style.now));
}

std::string pair_line(std::string_view name, const std::string& value) {
  return value.empty() ? "" : fmt::format("  {:<11}{}\n", name, value);
}

std::string took(const Json& run, const Style& style) {
  const auto from = parse_iso(text_in(run, "started_at"));
  if (!from) return {};
  return duration_text(parse_iso(text_in(run, "finished_at")).value_or(style.now) - *from);
}

std::string heading(const Json& run, std::string_view what, const std::string& name, const Style& style) {
  const auto status = text_in(run, "status");
  return fmt::format("{} {} {}  {}  {}\n", tinted(status_mark(status), status_tint(status), style), what,
                     text_in(run, "id"), tinted(printable(name), Tint::bold, style),
                     tinted(outcome_text(run, "status", "hooks_failed"), status_tint(status), style));
}

std::string times(const Json& run, const Style& style) {
  return pair_line("queued", with_ago(run, "queued_at", style)) +
         pair_line("started", with_ago(run, "started_at", style)) +
         pair_line("finished", with_ago(run, "finished_at", style)) + pair_line("took", took(run, style));
}

// The column holds a string that holds an object.
std::string watermark_lines(const Json& run) {
  const auto values = Json::parse(text_in(run, "watermark_values_json"), nullptr, false);
  if (!values.is_object()) return {};
  std::string out;
  for (const auto& [name, value] : values.items()) {
    const auto defaulted = run.value("defaulted", Json::array());
    const bool by_default = std::ranges::find(defaulted, Json(name)) != defaulted.end();
    out += fmt::format("  {} = {}{}\n", printable(name), printable(plain_text(value)),
                       by_default ? "  (default_value: resolver_sql returned NULL)" : "");
  }
  return out;
}

std::string attempt_table(const Json& run, const Style& style) {
  const auto found = run.find("attempts");
  if (found == run.end() || !found->is_array() || found->empty()) return {};
  return render_table(
      {text_column("ATTEMPT", "number", 0), text_column("WORKER", "worker", 1), text_column("STATE", "state", 0),
       status_column("STATUS", "status"), duration_column("TOOK", "started_at", "ended_at", 2),
       text_column("MERGE", "outcome", 3), text_column("ERROR", "error", 4)},
      *found, style);
}

std::string steps_table(const Json& attempt, const Style& style) {
  const auto found = attempt.find("steps");
  if (found == attempt.end() || !found->is_array()) return {};
  const Column took = {"TOOK",
                       [](const Json& row, const Style&) {
                         const auto ms = integer_in(row, "duration_ms");
                         return ms ? Cell{duration_text(Millis{*ms})} : Cell{};
                       },
                       Align::right, 0};
  return render_table({text_column("STEP", "name", 0), took}, *found, style);
}

std::string steps_of_all(const Json& run, const Style& style) {
  const auto attempts = run.find("attempts");
  if (attempts == run.end() || !attempts->is_array()) return {};
  std::string out;
  for (const auto& attempt : *attempts) {
    const auto title =
        attempts->size() == 1 ? std::string("steps") : fmt::format("steps of attempt {}", text_in(attempt, "number"));
    out += titled(title, steps_table(attempt, style), style);
  }
  return out;
}

bool has_merged_or_tried(const Json& run) {
  const auto attempts = run.value("attempts", Json::array());
  return std::ranges::any_of(attempts, [](const Json& attempt) {
    const auto outcome = text_in(attempt, "outcome");
    return outcome == "merged" || outcome == "not_merged" || outcome == "unknown";
  });
}

}  // namespace

std::string run_page(const Json& run, const Style& style) {
  if (!run.is_object()) return plain_text(run) + "\n";
  auto page = heading(run, "run", text_in(run, "module_name"), style) + times(run, style);
  const auto rows = run.find("row_count");
  if (rows != run.end()) page += pair_line("rows", number_text(*rows, style));
  page += pair_line("worker", printable(text_in(run, "worker")));
  page += pair_line("by", text_in(run, "triggered_by")) + pair_line("group run", text_in(run, "group_run_id"));
  const auto code = text_in(run, "error_code");
  const auto error_title = code.empty() ? std::string("error") : fmt::format("error ({})", code);
  page += titled(error_title, lines_below(text_in(run, "error"), kHeadLines), style);
  page += titled("watermarks", watermark_lines(run), style);
  page += titled("attempts", attempt_table(run, style), style) + steps_of_all(run, style);
  page += titled("source SQL", lines_below(text_in(run, "resolved_source_sql"), 200), style);
  page += titled(has_merged_or_tried(run) ? "merge SQL" : "merge SQL, not executed",
                 lines_below(text_in(run, "merge_sql"), 200), style);
  page += titled("hooks", lines_below(text_in(run, "hook_log"), kHeadLines), style);
  page += titled("stdout", lines_below(text_in(run, "jrunner_stdout"), kHeadLines), style);
  return page + titled("stderr", lines_below(text_in(run, "jrunner_stderr"), kHeadLines), style);
}

std::string group_run_page(const Json& group_run, const Style& style) {
  if (!group_run.is_object()) return plain_text(group_run) + "\n";
  auto page = heading(group_run, "group run", text_in(group_run, "group_name"), style) + times(group_run, style);
  page += pair_line("by", text_in(group_run, "triggered_by")) + pair_line("note", text_in(group_run, "note"));
  const auto members = group_run.find("members");
  if (members == group_run.end()) return page;
  const auto table = render_table(
      {text_column("ORDER", "run_order", 3), text_column("MODULE", "module_name", 0), text_column("RUN", "run_id", 0),
       status_column("STATUS", "status"), number_column("ROWS", "row_count", 1), text_column("ERROR", "error", 2)},
      *members, style);
  return page + titled("members", table, style);
}

}  // namespace pipekit::ctl
