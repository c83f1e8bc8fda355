// Parked tails and the recent events that answer them without the store: pure, in memory, time as an argument.
//
// Each peer has at most one parked request; a new one replaces it, so nothing queues up for a slow reader. Every answer
// is bounded in bytes; the reader continues from `next`.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/store/events.h"
#include "shared/clock.h"

namespace pipekit {

class Tails {
 public:
  static constexpr Millis kBeat{3000};
  static constexpr Millis kMinGap{50};
  static constexpr int64_t kAnswerBytes = int64_t{256} * 1024;
  static constexpr int64_t kMostOfOne = 128;
  static constexpr size_t kMost = 4096;  // each turn looks at all of them

  explicit Tails(int64_t last_seq) : last_(last_seq), kept_after_(last_seq) {}

  // What was just committed, in order.
  void committed(store::events::Numbered chunk);

  enum class Parking {
    parked,      // due() will answer it
    refused,     // too many are open
    from_store,  // the events are no longer in memory: the read thread answers
  };
  // `key`: Received::key. `who`: the peer's client (peer_limits.h).
  Parking park(const std::string& peer, const TailRequest& request, MonoTime now, const std::string& key = "",
               const std::string& who = "");
  // Requests of keys that are no longer allowed are dropped.
  void keep_only(const std::function<bool(const std::string& key)>& allowed);

  struct Answer {
    std::string peer;
    TailReply reply;
  };
  struct Behind {
    std::string peer;
    std::string who;
    TailRequest request;
  };
  struct Due {
    std::vector<Answer> answers;
    std::vector<Behind> from_store;  // their events left memory while they waited
  };
  // Requests that have events to get (one that has all of them waits kMinGap for its next), or whose beat is due; they
  // are no longer parked.
  Due due(MonoTime now);
  [[nodiscard]] std::optional<MonoTime> next_due() const;
  [[nodiscard]] size_t open() const { return parked_.size(); }
  [[nodiscard]] std::vector<std::string> peers() const;
  [[nodiscard]] int64_t last() const { return last_; }

 private:
  struct Parked {
    TailRequest request;
    MonoTime beat_at{};
    std::string key{};
    std::string who{};
  };
  [[nodiscard]] bool has_room_for(const std::string& peer, const std::string& who) const;
  [[nodiscard]] MonoTime ready_at(const std::string& peer, const Parked& parked) const;
  [[nodiscard]] TailReply answer(const TailRequest& request) const;
  void forget_beyond_budget();

  int64_t last_;        // highest number committed
  int64_t kept_after_;  // recent_ has everything after this
  std::deque<store::events::Numbered> recent_;
  std::deque<int64_t> sizes_;
  int64_t bytes_ = 0;
  std::map<std::string, Parked> parked_;
  std::map<std::string, MonoTime> answered_;  // peers that had everything lately, for kMinGap
};

}  // namespace pipekit
