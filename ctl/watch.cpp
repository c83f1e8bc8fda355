#include "ctl/watch.h"

#include <fmt/format.h>

#include "ctl/event_text.h"
#include "ctl/human.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

bool is_noise(const Event& event) { return event.kind == "run.progress" || event.kind == "run.step"; }

std::string rows_text(int64_t rows, const Style& style) {
  return fmt::format("{} {}", style.people ? with_thousands(rows) : std::to_string(rows), rows == 1 ? "row" : "rows");
}

std::string error_of(const Event& event) {
  const auto found = event.fields.is_object() ? event.fields.find("error") : event.fields.end();
  if (!event.fields.is_object() || found == event.fields.end()) return {};
  return found->is_object() ? text_in(*found, "message") : plain_text(*found);
}

}  // namespace

int exit_code_of_run(std::string_view status) {
  return status == "success" || status == "dry_run" ? 0 : exit_code(ErrorCode::kExecutionFailed);
}

std::string run_end_line(const Event& finished, std::optional<WallTime> began, const Style& style) {
  const auto status = text_in(finished.fields, "status");
  auto line =
      fmt::format("{} {}", tinted(status_mark(status), status_tint(status), style), printable(finished.module_name));
  if (const auto rows = integer_in(finished.fields, "row_count")) line += "  " + rows_text(*rows, style);
  const auto outcome = outcome_text(finished.fields, "status", "hooks_failed");
  if (outcome != "success") line += "  " + outcome;
  if (const auto ms = integer_in(finished.fields, "duration_ms")) {
    line += "  " + duration_text(Millis{*ms});
  } else if (began) {
    line += "  " + duration_text(from_ms(finished.ts) - *began);
  }
  if (const auto error = error_of(finished); !error.empty()) line += "  " + printable_lines(error);
  return line + "\n";
}

RunWatch::RunWatch(Context& context, int64_t run_id, std::string module)
    : context_(context), run_id_(run_id), module_(std::move(module)), line_(context.out) {}

std::optional<int> RunWatch::observe(const Event& event) {
  if (event.run_id != run_id_) return std::nullopt;
  if (!event.module_name.empty()) module_ = event.module_name;
  if (!event.worker.empty()) worker_ = event.worker;
  if (!began_) began_ = from_ms(event.ts);
  if (event.kind == "run.step") step_ = text_in(event.fields, "step");
  if (event.kind == "run.log") unfinished_.clear();
  if (event.kind == "run.progress") {
    if (const auto rows = integer_in(event.fields, "rows")) rows_ = rows;
    unfinished_ = text_in(event.fields, "line");
  }
  if (event.kind == "run.queued" || event.kind == "run.assigned" || event.kind == "run.started") {
    step_ = event.kind.substr(4);
    rows_.reset();  // a new attempt begins again
    unfinished_.clear();
  }
  show(event);
  if (event.kind != "run.finished") return std::nullopt;
  return exit_code_of_run(text_in(event.fields, "status"));
}

void RunWatch::show(const Event& event) {
  const bool last = event.kind == "run.finished";
  if (context_.config.quiet && !last) return;
  if (!context_.for_people()) return context_.out.write_data(event_record(event, context_.config.format));
  const auto style = context_.style();
  if (last) {
    line_.erase();
    return context_.out.write(run_end_line(event, began_, style));
  }
  if (!context_.out.is_live()) return context_.out.write(event_line(event, style));
  if (event.kind == "run.log") {
    const auto text = printable(text_in(event.fields, "line"));
    return line_.above(tinted(text, Tint::dim, style) + "\n");
  }
  repaint(context_.clock.wall());
}

void RunWatch::repaint(WallTime now) {
  const auto style = context_.style();
  auto text = fmt::format("{} {}  {}", status_mark("running"), printable(module_), printable(step_));
  if (rows_) text += "  " + rows_text(*rows_, style);
  if (began_) text += "  " + elapsed_text(now - *began_);
  if (!worker_.empty()) text += "  on " + printable(worker_);
  if (!unfinished_.empty()) text += "  | " + printable(unfinished_);
  line_.show(tinted(cut(text, style.width - 1), Tint::live, style));
}

void RunWatch::tick(WallTime now) { repaint(now); }

void RunWatch::interrupted() {
  line_.erase();
  context_.notice(fmt::format("run {0} continues; pipekit-ctl cancel {0} ends it", run_id_));
}

GroupWatch::GroupWatch(Context& context, int64_t group_run_id, std::string group)
    : context_(context), group_run_id_(group_run_id), group_(std::move(group)), line_(context.out) {}

void GroupWatch::note(const Event& event) {
  if (!event.run_id || event.kind == "run.log") return;
  auto [member, fresh] = live_.try_emplace(*event.run_id);
  if (fresh) member->second = {event.module_name, "queued", from_ms(event.ts)};
  if (event.kind == "run.step") member->second.step = text_in(event.fields, "step");
}

void GroupWatch::show_failed_member(const Event& event) {
  if (event.kind != "run.finished" || exit_code_of_run(text_in(event.fields, "status")) == 0) return;
  context_.out.write(run_end_line(event, std::nullopt, context_.style()));
}

void GroupWatch::finish_member(const Event& event) {
  const auto member = event.run_id ? live_.find(*event.run_id) : live_.end();
  std::optional<WallTime> began;
  if (member != live_.end()) began = member->second.began;
  line_.above(run_end_line(event, began, context_.style()));
  if (member != live_.end()) live_.erase(member);
  ++ended_;
}

std::optional<int> GroupWatch::observe(const Event& event) {
  const bool last = event.kind == "group_run.finished";
  if (!context_.for_people()) {
    if (last || !context_.config.quiet) context_.out.write_data(event_record(event, context_.config.format));
  } else if (context_.config.quiet) {
    show_failed_member(event);
  } else if (event.kind == "run.finished") {
    finish_member(event);
  } else {
    note(event);
    if (!context_.out.is_live() && !is_noise(event) && !last) {
      context_.out.write(event_line(event, context_.style()));
    }
  }
  if (!last) return std::nullopt;
  const auto status = text_in(event.fields, "status");
  if (context_.for_people()) {
    line_.erase();
    const auto style = context_.style();
    context_.out.write(fmt::format("{} group {}: {}\n", tinted(status_mark(status), status_tint(status), style),
                                   printable(group_), status));
  }
  return exit_code_of_run(status);
}

void GroupWatch::tick(WallTime) {
  std::string text = fmt::format("{} {}  {} ended", status_mark("running"), printable(group_), ended_);
  for (const auto& [id, member] : live_) {
    text += fmt::format("  {} ({})", printable(member.module), printable(member.step));
  }
  const auto style = context_.style();
  line_.show(tinted(cut(text, style.width - 1), Tint::live, style));
}

void GroupWatch::interrupted() {
  line_.erase();
  context_.notice(fmt::format("group run {} continues; pipekit-ctl cancel --group {} ends it", group_run_id_, group_));
}

}  // namespace pipekit::ctl
