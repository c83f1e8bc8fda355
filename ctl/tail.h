// The event stream: requests the events after the last number seen, merges events and log lines into one stream in the
// order of their numbers, and asks again, on a new socket, when the broker leaves or is silent for two beats. Each
// event is delivered once, and none is skipped. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "ctl/link.h"
#include "shared/protocol.h"

namespace pipekit::ctl {

// Pure: how far the stream was read.
class TailCursor {
 public:
  explicit TailCursor(int64_t after) : after_(after) {}
  // The new events of the reply, in order; a log line is an event of kind run.log with {line, stream}.
  std::vector<Event> accept(TailReply reply);
  [[nodiscard]] int64_t after() const { return after_; }

 private:
  int64_t after_;
};

// An event as `events tail -o json` prints it: its own fields beside seq, ts, kind, run_id, module_name, worker.
Json flattened(const Event& event);

struct TailWish {
  EventFilter filter;
  int64_t after = 0;
  bool follow = true;
  bool tells_waiting = false;  // a notice when no broker has been heard for kTellAfter
};

class Tail {
 public:
  enum class End { none, interrupted, output_closed };
  struct Step {
    std::vector<Event> events;
    bool caught_up = false;  // there was nothing more when the broker answered
    End end = End::none;
  };
  using Notice = std::function<void(std::string_view)>;

  // Waits `to_connect` for the first answer; after that a following tail waits for ever and says so by `notice`.
  Tail(Link& link, TailWish wish, std::chrono::seconds to_connect, Notice notice);

  // The next events. Without events: the end of an answer without follow, a signal, a closed output, or `wake` passed.
  Result<Step> next(std::optional<MonoTime> wake = std::nullopt);

  [[nodiscard]] int64_t after() const { return cursor_.after(); }

 private:
  [[nodiscard]] std::optional<MonoTime> give_up_at() const;
  void ask_if_due(MonoTime now);
  void lose(std::string_view reason);
  void tell_if_due(MonoTime now);
  void hear(MonoTime now);
  Result<std::optional<Step>> drain();
  [[nodiscard]] std::optional<MonoTime> deadline(std::optional<MonoTime> wake) const;

  Link& link_;
  TailWish wish_;
  TailCursor cursor_;
  std::chrono::seconds to_connect_;
  Notice notice_;
  int64_t number_ = 0;
  bool asked_ = false;
  bool heard_once_ = false;
  bool lost_ = false;
  MonoTime began_;        // when the current wait for an answer began
  MonoTime silent_at_{};  // when an unanswered request is asked again
  MonoTime ask_from_{};   // the broker was overloaded until then
};

// The highest number committed: where a tail of new events begins.
Result<int64_t> last_event(Link& link, std::chrono::seconds to_connect);

}  // namespace pipekit::ctl
