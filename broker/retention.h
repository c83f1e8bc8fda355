// Removes what is older, or more, than the settings keep (`settings list`: *_keep_days, *_keep), and gives the space
// back. Once an hour it walks through the tables, a small step a turn with a pause between, so that dispatch does not
// feel it. A step is part of its turn's transaction: what dies with it was not removed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/settings.h"
#include "broker/store/expiry.h"
#include "broker/turn.h"

namespace pipekit {

class Retention {
 public:
  static constexpr std::chrono::minutes kFirst{5};  // after the start: by then a wrong clock may have been set right
  static constexpr std::chrono::hours kEvery{1};
  static constexpr Millis kPause{40};
  // How long a command that comes again is answered as before; the store keeps its answer so long.
  static constexpr std::chrono::hours kRequests{24};

  Retention(store::Database& db, const Settings& settings, MonoTime now, WallTime wall);

  // Does the next step if it is due.
  void step(Turn& turn);
  [[nodiscard]] MonoTime next_due() const { return due_; }

 private:
  [[nodiscard]] bool clock_can_be_trusted(const Turn& turn);
  void finish(Turn& turn);

  store::Database& db_;
  const Settings& settings_;
  MonoTime due_;
  MonoTime checked_;  // when the clock was last compared
  WallTime checked_wall_;
  WallTime as_of_;    // ages are judged by the moment at which the walk began
  size_t table_ = 0;  // of the walk
  store::expiry::Cursor cursor_;
  std::map<std::string, int64_t> removed_;  // in this walk
};

}  // namespace pipekit
