// What one peer may take of a socket, so that the others get theirs: commands and bytes by rate, from buckets that hold
// a burst, and strikes for what no honest program does. Who has spent its rate is throttled; who goes on all the same,
// or sends what cannot be read, is cut off: for a minute nothing of it is looked at. Pure: time is an argument, nothing
// is sent here. The broker's thread.
//
// A peer is named by what it cannot choose: its key, on ipc its process, else its connection. The table is bounded:
// peers with full buckets are forgotten, and beyond kMostPeers strangers share one budget.
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

// Four times what the fastest honest client was measured at: 26,000 runs a second, one command each. What is not a run
// costs kDearCommand of them, a tail's request too, and so does what was refused. Bytes: four of the largest definition
// files at once, and one a second.
inline constexpr PeerBudget kClientBudget{100'000, 200'000, 16 << 20U, 64 << 20U};
// Of a worker its facts are not counted: it has no more of them on the way than the broker has acknowledged
// (worker/link.h). Hellos and heartbeats are, of which an honest one sends six a lease.
inline constexpr PeerBudget kWorkerBudget{2000, 20'000, 64 << 20U, 256 << 20U};

class PeerLimits {
 public:
  static constexpr double kDearCommand = 20;
  // Strikes: 10,000 at once, 1000 a second. A throttled command is one, a frame that cannot be read a hundred,
  // and so are 10 MiB beyond the rate.
  static constexpr double kStrikes = 10'000;
  static constexpr double kStrikesPerSecond = 1000;
  static constexpr double kMalformed = 100;
  static constexpr double kBytesOfStrike = 100'000;
  static constexpr std::chrono::seconds kCutOff{60};
  static constexpr size_t kMostPeers = 10'000;

  explicit PeerLimits(const PeerBudget& budget) : budget_(budget) {}

  // A frame of it has come; true: it is cut off, and the frame is to be dropped without a word.
  bool drops(const std::string& peer, MonoTime now);
  // For a frame that is dear to copy; false: it has spent its bytes, and this one is a strike by its size.
  bool has_room_for_large(const std::string& peer, size_t bytes, MonoTime now);
  // Takes a command and its bytes; false: it has to wait.
  bool spend(const std::string& peer, size_t bytes, MonoTime now);
  // It turned out to be dearer than a command.
  void charge(const std::string& peer, double commands, MonoTime now);
  void strike(const std::string& peer, double strikes, MonoTime now);
  // It was told to wait by somebody else, who has no room for what it asked: throttled, and a strike.
  void put_off(const std::string& peer, MonoTime now);
  // How long a throttled peer should wait.
  [[nodiscard]] Millis retry_after(const std::string& peer, MonoTime now);

  struct Counters {
    int64_t throttled = 0;  // frames
    int64_t dropped = 0;    // frames of peers that were cut off
    int64_t cut_off = 0;    // peers, each time
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // How many are cut off just now.
  [[nodiscard]] int64_t shut_out(MonoTime now) const;
  // Who was cut off since this was asked last.
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
