// Limits what one peer may use of a socket, so that the others get their share: commands and bytes by rate, from
// buckets that allow a burst, and strikes for what no honest program does. A peer that has used up its rate is
// throttled. One that continues, or sends malformed frames, is cut off: the broker ignores it for a minute. Pure: time
// is an argument, and nothing is sent here. The broker's thread.
//
// A peer is identified by what it cannot choose: its key, on ipc its process, else its connection. The table is
// bounded: peers with full buckets are forgotten, and peers beyond kMostPeers share one budget.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "shared/clock.h"

namespace pipekit {

struct PeerBudget {
  double commands_per_s;
  double commands_burst;
  double bytes_per_s;
  double bytes_burst;
};

// Four times as much as the fastest honest client used in measurements: 26,000 runs a second, one command each. Any
// other request costs kDearCommand, and so do tail requests and refused ones. Bytes: four of the largest definition
// files at once, and one per second.
inline constexpr PeerBudget kClientBudget{100'000, 200'000, 16 << 20U, 64 << 20U};
// A worker's facts are not counted: the broker's acknowledgements limit how many are in transit (worker/link.h). Hellos
// and heartbeats are counted; an honest worker sends six per lease.
inline constexpr PeerBudget kWorkerBudget{2000, 20'000, 64 << 20U, 256 << 20U};

class PeerLimits {
 public:
  static constexpr double kDearCommand = 20;
  // Strikes: 10,000 at once, 1000 per second. A throttled command counts as one, a malformed frame as a hundred, and so
  // do 10 MiB beyond the rate.
  static constexpr double kStrikes = 10'000;
  static constexpr double kStrikesPerSecond = 1000;
  static constexpr double kMalformed = 100;
  static constexpr double kBytesOfStrike = 100'000;
  static constexpr std::chrono::seconds kCutOff{60};
  static constexpr size_t kMostPeers = 10'000;

  explicit PeerLimits(const PeerBudget& budget) : budget_(budget) {}

  // True: the peer is cut off, and its frame is dropped without an answer.
  bool drops(const std::string& peer, MonoTime now);
  // For a frame that is expensive to copy. False: the peer has used up its bytes, and this frame costs strikes by size.
  bool has_room_for_large(const std::string& peer, size_t bytes, MonoTime now);
  // Takes a command and its bytes; false: it has to wait.
  bool spend(const std::string& peer, size_t bytes, MonoTime now);
  // The command turned out to cost more.
  void charge(const std::string& peer, double commands, MonoTime now);
  void strike(const std::string& peer, double strikes, MonoTime now);
  // Another part of the broker had no room for its request: throttled, and one strike.
  void put_off(const std::string& peer, MonoTime now);
  // How long a throttled peer should wait.
  [[nodiscard]] Millis retry_after(const std::string& peer, MonoTime now);

  struct Counters {
    int64_t throttled = 0;  // frames
    int64_t dropped = 0;    // frames of peers that were cut off
    int64_t cut_off = 0;    // peers, each time
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // How many peers are cut off at the moment.
  [[nodiscard]] int64_t shut_out(MonoTime now) const;
  // Peers that were cut off since the last call.
  std::vector<std::string> take_cut_off() { return std::exchange(newly_cut_, {}); }
  [[nodiscard]] size_t known() const { return peers_.size(); }

 private:
  struct Peer {
    double commands;
    double bytes;
    double strikes;  // left
    MonoTime at;     // when these were right
    MonoTime shut_until{};
  };
  [[nodiscard]] Peer fresh(MonoTime now) const;
  Peer& of(const std::string& peer, MonoTime now);
  void refill(Peer& peer, MonoTime now) const;
  [[nodiscard]] bool is_idle(Peer peer, MonoTime now) const;
  void forget_idle(MonoTime now);

  const PeerBudget budget_;
  std::unordered_map<std::string, Peer> peers_;
  MonoTime forget_at_{};
  Counters counters_;
  std::vector<std::string> newly_cut_;
};

}  // namespace pipekit
