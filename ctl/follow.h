// Follows the event stream to wherever an observer says it ends: `events tail`, `--watch`, `runs logs -f`.
#pragma once

#include <optional>
#include <string>

#include "ctl/context.h"
#include "ctl/tail.h"

namespace pipekit::ctl {

// One line at the bottom of a terminal, repainted in place; other lines go above it. Elsewhere it does nothing.
class LiveLine {
 public:
  explicit LiveLine(Output& out) : out_(out) {}
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;
  void above(const std::string& lines);
  void show(const std::string& line);
  void erase();

 private:
  Output& out_;
  std::string line_;
};

class Observer {
 public:
  virtual ~Observer() = default;
  // The exit code when the event was the last one wanted.
  virtual std::optional<int> observe(const Event& event) = 0;
  // Once a second on a terminal: a chance to repaint.
  virtual void tick(WallTime) {}
  // Whether the exit code tells how something ended: then it is followed to its end also when nobody reads any more.
  [[nodiscard]] virtual bool has_outcome() const { return false; }
  // Before a notice goes to stderr: the live line must be out of its way.
  virtual void make_room() {}
  // Before the program ends on a signal.
  virtual void interrupted() {}
};

// The observer's exit code; 128 + signal after one; 0 when stdout can no longer be written and the observer has no
// outcome. Without wish.follow: 0 at the end of what is committed.
Result<int> follow(Context& context, TailWish wish, Observer& observer);

}  // namespace pipekit::ctl
