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

void print_line(Context& context, const Json& line) {
  if (context.config.format == Format::json) return context.out.write(render_json_line(line));
  if (context.config.format == Format::yaml) return context.out.write("---\n" + render_yaml(line));
  const auto text = text_in(line, "line");
  if (context.config.format == Format::csv) {
    return context.out.write(csv_record({text_in(line, "seq"), text_in(line, "ts"), text_in(line, "stream"), text}));
  }
  // In a pipe the line goes as it is: it is data there.
  const auto style = context.style();
  const auto tint = text_in(line, "stream") == "stderr" ? Tint::warn : Tint::plain;
  context.out.write(tinted(style.people ? printable(text) : text, tint, style) + "\n");
}

// What a progress bar shows at the moment; it is not kept, so only people see it.
void print_unfinished(Context& context, const std::string& line) {
  if (line.empty()) return;
  const auto style = context.style();
  context.out.write(tinted(style.people ? printable(line) : line, Tint::dim, style) + "\n");
}

// Lines of the run as they come, until it ends.
class LogFollower final : public Observer {
 public:
  explicit LogFollower(Context& context) : context_(context) {}
  std::optional<int> observe(const Event& event) override {
    if (event.kind == "run.finished") return 0;
    if (event.kind == "run.progress") {
      if (context_.for_people()) print_unfinished(context_, text_in(event.fields, "line"));
    } else if (event.kind == "run.log") {
      print_line(context_, {{"seq", event.seq},
                            {"ts", to_iso(from_ms(event.ts))},
                            {"stream", text_in(event.fields, "stream")},
                            {"line", text_in(event.fields, "line")}});
    } else {
      context_.notice(
          fmt::format("lines {} to {} were elided", text_in(event.fields, "from"), text_in(event.fields, "to")));
    }
    return std::nullopt;
  }

 private:
  Context& context_;
};

struct Reached {
  int64_t after = 0;
  bool done = false;
};

Result<Reached> print_stored(Context& context, int64_t run_id) {
  Reached reached;
  for (;;) {
    const auto page = context.call("runs.logs", {{"id", run_id}, {"after", reached.after}, {"limit", kPage}});
    if (!page) return page.error();
    const auto lines = page->value("lines", Json::array());
    for (const auto& line : lines) print_line(context, line);
    const auto next = integer_in(*page, "next").value_or(reached.after);
    const bool end = next <= reached.after;
    reached = {std::max(reached.after, next), page->value("done", false)};
    if (end && context.for_people()) print_unfinished(context, text_in(*page, "unfinished_line"));
    if (end) return reached;
  }
}

}  // namespace

Result<int> runs_logs(Context& context, const Arguments& args) {
  const auto id = args.integer("ID");
  if (!id) return Error{ErrorCode::kUsage, fmt::format("a run is named by its number, not \"{}\"", args.text("ID"))};
  if (context.config.format == Format::csv) context.out.write(csv_record({"seq", "ts", "stream", "line"}));
  const auto reached = print_stored(context, *id);
  if (!reached) return reached.error();
  if (reached->done || !args.has("follow")) return 0;
  LogFollower follower(context);
  TailWish wish;
  wish.after = reached->after;
  wish.filter.run_id = *id;
  wish.filter.kinds = {"run.log", "run.progress", "run.elided", "run.finished"};
  return follow(context, std::move(wish), follower);
}

}  // namespace pipekit::ctl
