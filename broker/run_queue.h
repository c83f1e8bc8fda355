// The queued runs, in the order in which they are offered to workers: pure, the broker's loop owns it.
//
// The highest priority first. Within one, groups take turns: the next run is of the group run that has the fewest under
// way, and of several the one whose turn was longest ago, so that a group of ten members does not wait for one of a
// thousand that began before it. Runs without a group are together one of them. Within a group the oldest goes first.
#pragma once

#include <map>
#include <optional>
#include <queue>
#include <set>
#include <tuple>
#include <vector>

#include "shared/protocol.h"

namespace pipekit {

class RunQueue {
 public:
  using Lane = int64_t;  // a group run's id; 0: runs without a group
  static Lane lane_of(const std::optional<GroupRunId>& group_run) { return group_run ? group_run->value : 0; }

  void insert(int64_t priority, Lane lane, RunId run);
  void erase(int64_t priority, Lane lane, RunId run);
  // A run of it begins. Remembered for as long as the lane has runs that wait.
  void had_its_turn(Lane lane);
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  using Runs = std::set<RunId>;
  using Levels = std::map<int64_t, std::map<Lane, Runs>>;  // by -priority; nothing in it is empty

 public:
  // Offers each run once. The queue must not change meanwhile.
  class Pass {
   public:
    // `under_way`: attempts of each lane.
    Pass(const RunQueue& queue, std::map<Lane, int64_t> under_way);
    std::optional<RunId> next();
    // What next() gave last has found its worker.
    void placed() { ++under_way_[offered_]; }

   private:
    struct Offer {
      int64_t under_way;
      int64_t last_turn;  // 0: none yet
      RunId run;
      Lane lane;
      bool operator>(const Offer& other) const {
        return std::tie(under_way, last_turn, run) > std::tie(other.under_way, other.last_turn, other.run);
      }
    };
    void begin_level();
    void offer_of(Lane lane);

    const RunQueue& queue_;
    Levels::const_iterator level_;  // the next one
    std::map<Lane, int64_t> under_way_;
    std::map<Lane, std::pair<Runs::const_iterator, Runs::const_iterator>> left_;  // of the level that is offered
    std::priority_queue<Offer, std::vector<Offer>, std::greater<>> offers_;       // one of each lane
    Lane offered_ = 0;
    bool owed_ = false;  // the lane of the last offer has none in offers_: it counts what became of that first
  };

 private:
  Levels levels_;
  std::map<Lane, int64_t> lengths_;
  std::map<Lane, int64_t> last_turns_;
  int64_t turns_ = 0;
  size_t size_ = 0;
};

}  // namespace pipekit
