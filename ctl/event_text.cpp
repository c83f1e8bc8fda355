#include "ctl/event_text.h"

#include <fmt/format.h>

#include <set>

#include "ctl/context.h"
#include "ctl/human.h"
#include "ctl/tail.h"
#include "ctl/width.h"
#include "shared/plural.h"

namespace pipekit::ctl {
namespace {

std::string subject(const Event& event) {
  std::string text = printable(event.module_name);
  if (event.run_id) text += fmt::format("{}#{}", text.empty() ? "" : " ", *event.run_id);
  if (event.kind.starts_with("worker.")) text = printable(event.worker);
  return text;
}

// The fields that are not shown in a form of their own: "slots=4 host=db1".
std::string other_fields(const Json& fields) {
  static const std::set<std::string, std::less<>> kShown = {"status", "row_count", "rows",        "step",
                                                            "detail", "error",     "hooks_failed"};
  std::string text;
  for (const auto& [name, value] : fields.items()) {
    if (kShown.contains(name) || value.is_null() || value == "") continue;
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, plain_text(value));
  }
  return text;
}

void append(std::string& text, std::string_view part) {
  if (part.empty()) return;
  if (!text.empty()) text += "  ";
  text += part;
}

std::string error_text(const Json& fields) {
  const auto found = fields.find("error");
  if (found == fields.end()) return {};
  return found->is_object() ? text_in(*found, "message") : plain_text(*found);
}

}  // namespace

std::string event_detail(const Event& event) {
  if (!event.fields.is_object()) return {};
  std::string text;
  append(text, outcome_text(event.fields, "status", "hooks_failed"));
  append(text, text_in(event.fields, "step"));
  append(text, text_in(event.fields, "detail"));
  const auto rows = integer_in(event.fields, event.kind == "run.progress" ? "rows" : "row_count");
  if (rows) append(text, count_of(*rows, "row"));
  append(text, error_text(event.fields));
  append(text, other_fields(event.fields));
  return printable(text);
}

std::string event_line(const Event& event, const Style& style) {
  const auto time = tinted(clock_text(event.ts, style), Tint::dim, style);
  if (event.kind == "run.log") {
    const auto line = printable(text_in(event.fields, "line"));
    return fmt::format("{}  {}  {}\n", time, subject(event), tinted("| " + line, Tint::dim, style));
  }
  auto line = fmt::format("{}  {}", time, tinted(event.kind, status_tint(text_in(event.fields, "status")), style));
  append(line, subject(event));
  append(line, event_detail(event));
  return line + "\n";
}

std::string event_csv_titles() {
  return csv_record({"seq", "ts", "kind", "run_id", "module_name", "worker", "fields"});
}

std::string event_record(const Event& event, Format format) {
  if (format == Format::json) return render_json_line(flattened(event));
  if (format == Format::yaml) return "---\n" + render_yaml(flattened(event));
  const auto fields = event.fields.dump(-1, ' ', false, Json::error_handler_t::replace);
  return csv_record({std::to_string(event.seq), to_iso(from_ms(event.ts)), event.kind,
                     event.run_id ? std::to_string(*event.run_id) : "", event.module_name, event.worker, fields});
}

}  // namespace pipekit::ctl
