#include "ctl/status_screen.h"

#include <fmt/format.h>

#include <map>
#include <sstream>
#include <vector>

#include "ctl/context.h"
#include "ctl/human.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

const Json& part(const Json& object, std::string_view name) {
  static const Json kNone = Json::array();
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

bool is_on(const Json& row, std::string_view field) { return text_in(row, field) == "yes"; }

std::string state_of(const Json& module) {
  if (is_on(module, "running")) return "running";
  if (text_in(module, "enabled") == "no") return "disabled";
  return text_in(module, "last_status");
}

Cell mark_cell(const Json& module, const Style&) {
  const auto state = state_of(module);
  return {std::string(status_mark(state)), state == "disabled" ? Tint::dim : status_tint(state)};
}

Cell name_cell(const Json& module, const Style&) {
  const bool off = text_in(module, "enabled") == "no";
  return {text_in(module, "name") + (off ? " (disabled)" : ""), off ? Tint::dim : Tint::plain};
}

Cell error_cell(const Json& module, const Style&) { return {text_in(module, "last_error_code"), Tint::bad}; }

std::vector<Column> module_columns() {
  return {{"", mark_cell, Align::left, 0},
          {"MODULE", name_cell, Align::left, 0},
          text_column("STRATEGY", "merge_strategy", 4, Fit::whole),
          text_column("TO", "dest_connection", 5, Fit::spare),
          time_column("LAST RUN", "last_finished_at", 1),
          number_column("ROWS", "last_row_count", 1),
          {"TOOK",
           [](const Json& row, const Style&) {
             const auto ms = integer_in(row, "last_duration_ms");
             return ms ? Cell{duration_text(Millis{*ms})} : Cell{};
           },
           Align::right, 2},
          {"ERROR", error_cell, Align::left, 3, Fit::whole}};
}

std::string microseconds(const Json& broker, std::string_view name) {
  const auto& stats = part(broker, name);
  const auto p99 = integer_in(stats, "p99");
  if (!p99) return {};
  return fmt::format("{:.1f} ms", static_cast<double>(*p99) / 1000.0);
}

std::string endpoints_of(const Json& broker) {
  std::string text;
  const auto& endpoints = part(broker, "endpoints");
  for (const auto& endpoint : endpoints) text += (text.empty() ? "" : ", ") + printable(plain_text(endpoint));
  return text;
}

// What peers did that they should not; nothing where all is well.
std::string trouble_line(const Json& broker, const Style& style) {
  std::string text;
  const auto tell = [&](std::string_view field, std::string_view words) {
    const auto count = integer_in(broker, field).value_or(0);
    if (count > 0) text += fmt::format("  {} {}", words, count);
  };
  tell("malformed_frames", "malformed");
  tell("refused", "refused");
  tell("throttled", "throttled");
  tell("cut_off", "cut off");
  const auto out_now = integer_in(broker, "cut_off_now").value_or(0);
  if (out_now > 0) text += fmt::format(" ({} just now)", out_now);
  return text.empty() ? "" : tinted("  peers:" + text, out_now > 0 ? Tint::bad : Tint::dim, style) + "\n";
}

std::string broker_lines(const Json& broker, const Style& style) {
  const auto uptime = duration_text(std::chrono::seconds{integer_in(broker, "uptime_s").value_or(0)});
  auto text =
      fmt::format("{} broker {}  up {}  queue {}  live {}  tails {}", tinted("✔", Tint::good, style),
                  text_in(broker, "version"), uptime, integer_in(broker, "queue_length").value_or(0),
                  integer_in(broker, "live_attempts").value_or(0), integer_in(broker, "open_tails").value_or(0));
  if (const auto p99 = microseconds(broker, "commit_us"); !p99.empty()) text += "  commit p99 " + p99;
  text += "\n";
  if (const auto endpoints = endpoints_of(broker); !endpoints.empty()) {
    text += tinted("  " + endpoints, Tint::dim, style) + "\n";
  }
  return text + trouble_line(broker, style);
}

std::string titled(std::string_view title, const std::string& table, const Style& style) {
  return table.empty() ? "" : fmt::format("\n{}\n{}", tinted(title, Tint::bold, style), table);
}

std::vector<Column> live_columns() {
  return {text_column("RUN", "run_id", 0),   text_column("MODULE", "module_name", 0),
          status_column("STATUS", "status"), text_column("STEP", "step", 1, Fit::whole),
          number_column("ROWS", "rows", 2),  duration_column("TAKES", "queued_at", "", 3),
          text_column("WORKER", "worker", 4)};
}

}  // namespace

std::vector<Column> worker_columns() {
  return {
      text_column("WORKER", "name", 0),
      {"STATE",
       [](const Json& row, const Style&) {
         const bool busy = integer_in(row, "busy").value_or(0) > 0;
         auto state = text_in(row, "state");
         if (state == "connected" && is_on(row, "drained")) state = busy ? "draining" : "drained";
         if (state == "connected" && is_on(row, "draining")) state = "draining";
         return Cell{state, status_tint(state)};
       },
       Align::left, 0},
      {"BUSY",
       [](const Json& row, const Style&) {
         return Cell{fmt::format("{}/{}", integer_in(row, "busy").value_or(0), integer_in(row, "slots").value_or(0))};
       },
       Align::right, 1},
      text_column("HOST", "host", 3),
      text_column("TAGS", "tags", 2),
      text_column("VERSION", "version", 5),
      time_column("SEEN", "seen_at", 1)};
}

std::vector<Column> group_columns() {
  return {text_column("GROUP", "name", 0),
          {"MEMBERS",
           [](const Json& row, const Style&) {
             std::string names;
             for (const auto& member : part(row, "members")) {
               const auto name = member.is_object() ? text_in(member, "module") : plain_text(member);
               names += (names.empty() ? "" : ", ") + name;
             }
             return Cell{names};
           },
           Align::left, 2},
          {"SCHEDULES",
           [](const Json& row, const Style&) {
             std::string text;
             for (const auto& schedule : part(row, "schedules")) {
               const auto every = integer_in(schedule, "every_s").value_or(0);
               const auto when =
                   every > 0 ? "every " + duration_text(std::chrono::seconds{every}) : text_in(schedule, "cron_expr");
               text += (text.empty() ? "" : "; ") + when;
             }
             return Cell{text};
           },
           Align::left, 1},
          {"LAST",
           [](const Json& row, const Style& style) {
             const auto last = text_in(row, "last_status");
             if (last.empty()) return Cell{};
             const auto when = time_text(row.value("last_started_at", Json()), style);
             return Cell{fmt::format("{} {}", status_mark(last), when), status_tint(last)};
           },
           Align::left, 1},
          next_fire_column()};
}

Column next_fire_column() {
  return {"NEXT",
          [](const Json& row, const Style& style) {
            const auto next = text_in(row, "next_fire_at");
            auto text = next.empty() ? "" : time_text(row.at("next_fire_at"), style);
            const auto reason = text_in(row, "does_not_fire");
            if (reason.empty()) return Cell{std::move(text)};
            return Cell{fmt::format("{}does not fire: {}", text.empty() ? "" : text + "; ", reason), Tint::bad};
          },
          Align::left, 1};
}

// One table, so that its columns stand below each other, with the source's name and the titles before each part.
std::string modules_by_source(const Json& modules, const Style& style) {
  if (!modules.is_array() || modules.empty()) return {};
  std::map<std::string, std::vector<size_t>> by_source;
  for (size_t i = 0; i < modules.size(); ++i) by_source[text_in(modules[i], "source_connection")].push_back(i);
  std::vector<std::string> lines;
  std::istringstream table(render_table(module_columns(), modules, style));
  for (std::string line; std::getline(table, line);) lines.push_back(line + "\n");
  std::string out;
  for (const auto& [source, rows] : by_source) {
    out += (out.empty() ? "" : "\n") + tinted("from " + printable(source), Tint::bold, style) + "\n" + lines.at(0);
    for (const auto row : rows) out += lines.at(row + 1);
  }
  return out;
}

std::string status_screen(const Json& status, const Style& style) {
  auto out = broker_lines(part(status, "broker"), style);
  const auto& workers = part(status, "workers");
  out += workers.empty() ? "\nno worker; pipekit-worker --name NAME starts one\n"
                         : titled("Workers", render_table(worker_columns(), workers, style), style);
  out += titled("Now", render_table(live_columns(), part(status, "live"), style), style);
  const auto& modules = part(status, "modules");
  out += modules.empty() ? "\nno modules yet; pipekit-ctl apply -f FILE adds what a file defines\n"
                         : "\n" + modules_by_source(modules, style);
  return out + titled("Groups", render_table(group_columns(), part(status, "groups"), style), style);
}

}  // namespace pipekit::ctl
