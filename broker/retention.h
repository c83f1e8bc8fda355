// Removes rows that are older, or more, than the settings keep (`settings list`: *_keep_days, *_keep), and returns the
// space to the file system. Once an hour it walks through the tables, in small steps with pauses between them: it takes
// at most a tenth of the thread's time. A step is part of its turn's transaction: what dies with it was not removed.
//
// Free pages are returned during the walk, after every few MiB, because each page that is returned costs a
// search of the list of free ones.
//
// It also keeps the write-ahead log from staying as long as it once was: database.h.
#pragma once

#include <functional>
#include <map>
#include <optional>
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
  static constexpr Millis kPause{40};  // between the end of a step and the next one, or
  static constexpr int kRest = 9;      // so many times as long as the step took
  static constexpr Millis kWalPatience{50};
  static constexpr std::chrono::seconds kWalRetry{5};
  static constexpr std::chrono::minutes kTellWal{10};
  // How long a command that comes again is answered as before; the store keeps its answer so long.
  static constexpr std::chrono::hours kRequests{24};

  // `stopwatch`: the time now, by which steps and pauses are measured; none: they take no time.
  Retention(store::Database& db, const Settings& settings, std::function<MonoTime()> stopwatch, MonoTime now,
            WallTime wall);

  // Does the next step if it is due.
  void step(Turn& turn);
  // After the turn's commit, which is part of what a step costs.
  void committed(MonoTime now);
  [[nodiscard]] MonoTime next_due() const;

 private:
  [[nodiscard]] bool clock_can_be_trusted(const Turn& turn);
  void step_table();
  void vacuum(MonoTime now);
  void finish(Turn& turn);
  void shorten_wal(MonoTime now);

  store::Database& db_;
  const Settings& settings_;
  const std::function<MonoTime()> stopwatch_;
  MonoTime due_;
  MonoTime checked_;  // when the clock was last compared
  WallTime checked_wall_;
  WallTime as_of_;    // ages are judged by the moment at which the walk began
  size_t table_ = 0;  // of the walk
  store::expiry::Cursor cursor_;
  std::map<std::string, int64_t> removed_;  // in this walk
  bool walking_ = false;
  MonoTime began_{};          // the walk
  bool vacuums_ = false;      // before the walk continues
  bool takes_turns_ = false;  // with the walk: there is much to return
  bool vacuumed_ = false;     // in the last step
  bool told_long_list_ = false;
  std::optional<MonoTime> step_began_;  // of a step in this turn
  MonoTime wal_due_{};
  std::optional<MonoTime> wal_told_;
  int wal_refusals_ = 0;  // in a row
};

}  // namespace pipekit
