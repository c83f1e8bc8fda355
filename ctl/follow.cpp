#include "ctl/follow.h"

#include "ctl/interrupt.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

class WaitsFor {
 public:
  WaitsFor(Link& link, int interrupt_fd, int output_fd) : link_(link) { link_.also_wait_for(interrupt_fd, output_fd); }
  ~WaitsFor() { link_.also_wait_for(-1, -1); }
  WaitsFor(const WaitsFor&) = delete;
  WaitsFor& operator=(const WaitsFor&) = delete;

 private:
  Link& link_;
};

std::optional<int> observe_all(const std::vector<Event>& events, Observer& observer) {
  for (const auto& event : events) {
    if (const auto code = observer.observe(event)) return code;
  }
  return std::nullopt;
}

}  // namespace

LiveLine::~LiveLine() { erase(); }

void LiveLine::erase() {
  if (!line_.empty()) out_.rewrite_line("");
  line_.clear();
}

void LiveLine::show(const std::string& line) {
  if (!out_.is_live()) return;
  line_ = line;
  out_.rewrite_line(line_);
}

void LiveLine::above(const std::string& lines) {
  if (line_.empty()) return out_.write(lines);
  out_.rewrite_line(lines + line_);
}

Result<int> follow(Context& context, TailWish wish, Observer& observer) {
  auto client = context.client();
  if (!client) return client.error();
  Interrupt interrupt;
  const WaitsFor waits((*client)->link(), interrupt.fd(), context.out.watched_fd());
  const bool once = !wish.follow;
  const bool ticks = context.out.is_live() && context.for_people() && !context.config.quiet;
  wish.tells_waiting = context.for_people();
  Tail tail((*client)->link(), std::move(wish), context.config.timeout, [&](std::string_view text) {
    observer.make_room();
    context.notice(text);
  });
  for (;;) {
    std::optional<MonoTime> wake;
    if (ticks && !once) wake = context.clock.now() + std::chrono::seconds{1};
    const auto step = tail.next(wake);
    if (!step) return step.error();
    if (const auto code = observe_all(step->events, observer)) return *code;
    if (ticks) observer.tick(context.clock.wall());
    if (step->end == Tail::End::output_closed) context.out.close();
    if (!context.out.usable()) {
      if (!observer.has_outcome()) return 0;
      (*client)->link().also_wait_for(interrupt.fd(), -1);
    }
    if (once && step->caught_up) return 0;
    if (step->end == Tail::End::interrupted) {
      observer.interrupted();
      return interrupt.exit_code().value_or(130);
    }
  }
}

}  // namespace pipekit::ctl
