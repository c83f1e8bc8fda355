// runs logs ID [-f]
#include <fmt/format.h>

#include <algorithm>

#include "ctl/context.h"
#include "ctl/event_text.h"
#include "ctl/follow.h"
#include "ctl/run_page.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

constexpr int64_t kPage = 1000;

// Tabs are data in a pipe.
std::string in_one_line(std::string text) {
  if (text.ends_with('\r')) text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

void print_line(Context& context, const Json& line, bool raw) {
  if (context.config.format == Format::json) return context.out.write_data(render_json_line(line));
  if (context.config.format == Format::yaml) return context.out.write_data("---\n" + render_yaml(line));
  const auto text = text_in(line, "line");
  if (context.config.format == Format::csv) {
    return context.out.write_data(
        csv_record({text_in(line, "seq"), text_in(line, "ts"), text_in(line, "stream"), text}));
  }
  if (raw) return context.out.write_raw(text + "\n");
  const auto style = context.style();
  if (!style.people) return context.out.write_data(in_one_line(text) + "\n");
  const auto tint = text_in(line, "stream") == "stderr" ? Tint::warn : Tint::plain;
  context.out.write(tinted(printable(text), tint, style) + "\n");
}

// What a progress bar shows at the moment; it is not kept, so only people see it.
void print_unfinished(Context& context, const std::string& line) {
  if (line.empty()) return;
  const auto style = context.style();
  context.out.write(tinted(printable(line), Tint::dim, style) + "\n");
}

// Lines of the run as they come, until it ends.
class LogFollower final : public Observer {
 public:
  LogFollower(Context& context, bool raw) : context_(context), raw_(raw) {}
  std::optional<int> observe(const Event& event) override {
    if (event.kind == "run.finished") return 0;
    if (event.kind == "run.progress") {
      if (context_.for_people()) print_unfinished(context_, text_in(event.fields, "line"));
    } else if (event.kind == "run.log") {
      print_line(context_,
                 {{"seq", event.seq},
                  {"ts", to_iso(from_ms(event.ts))},
                  {"stream", text_in(event.fields, "stream")},
                  {"line", text_in(event.fields, "line")}},
                 raw_);
    } else {
      context_.notice(
          fmt::format("lines {} to {} were not kept", text_in(event.fields, "from"), text_in(event.fields, "to")));
    }
    return std::nullopt;
  }

 private:
  Context& context_;
  bool raw_;
};

struct Reached {
  int64_t after = 0;
  bool done = false;
};

Result<Reached> print_stored(Context& context, int64_t run_id, bool raw) {
  Reached reached;
  while (context.out.usable()) {
    const auto page = context.call("runs.logs", {{"id", run_id}, {"after", reached.after}, {"limit", kPage}});
    if (!page) return page.error();
    const auto lines = page->value("lines", Json::array());
    for (const auto& line : lines) print_line(context, line, raw);
    const auto next = integer_in(*page, "next").value_or(reached.after);
    const bool end = next <= reached.after;
    reached = {std::max(reached.after, next), page->value("done", false)};
    if (end && context.for_people()) print_unfinished(context, text_in(*page, "unfinished_line"));
    if (end) break;
  }
  return reached;
}

}  // namespace

Result<int> runs_logs(Context& context, const Arguments& args) {
  const auto id = args.integer("ID");
  if (!id) return Error{ErrorCode::kUsage, fmt::format("the ID of a run is a number, not \"{}\"", args.text("ID"))};
  const bool raw = args.has("raw");
  if (raw && !context.for_people()) return Error{ErrorCode::kUsage, "--raw prints plain lines: leave out -o"};
  if (context.config.format == Format::csv) context.out.write_data(csv_record({"seq", "ts", "stream", "line"}));
  const auto reached = print_stored(context, *id, raw);
  if (!reached) return reached.error();
  if (reached->done || !args.has("follow") || !context.out.usable()) return 0;
  LogFollower follower(context, raw);
  TailWish wish;
  wish.after = reached->after;
  wish.filter.run_id = *id;
  wish.filter.kinds = {"run.log", "run.progress", "run.elided", "run.finished"};
  return follow(context, std::move(wish), follower);
}

}  // namespace pipekit::ctl
