// Requests that the read thread is at, or that wait for it. One that comes again meanwhile, because the client lost its
// connection or its patience, is not worked on a second time: its answer goes to the connection that asked last.
// Bounded by number and by bytes, of one client and of all. Pure: time is an argument. The loop's thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/clock.h"
#include "shared/protocol.h"

namespace pipekit {

// What makes two frames the same request. `owner`: who proved to have sent it (sender.h), so that nobody gets the
// answer to a request of somebody else by naming its client and number.
struct RequestIdentity {
  std::string owner;
  std::string client;
  int64_t number = 0;
  std::string verb;
  auto operator<=>(const RequestIdentity&) const = default;
};

class RequestsUnderWay {
 public:
  static constexpr size_t kMostOfOne = 128;
  static constexpr size_t kMost = 4096;
  // Documents wait as they came, up to 16 MiB each.
  static constexpr size_t kMostBytesOfOne = size_t{48} << 20U;
  static constexpr size_t kMostBytes = size_t{128} << 20U;
  // How often a waiting client gets a sign of life; sending it also shows which clients have gone.
  static constexpr std::chrono::seconds kBeat{1};

  struct Asker {
    RequestIdentity identity;
    std::string peer;  // the last that asked
    std::string who;   // its client: peer_limits.h
    std::string key;
    std::string user;  // for the audit
    size_t bytes = 0;
    MonoTime beat_at{};
  };

  // True: it is under way, and its answer will go to `peer`.
  bool asked_again(const RequestIdentity& identity, const std::string& peer);
  [[nodiscard]] bool has_room_for(const std::string& who, size_t bytes) const;
  int64_t begin(Asker asker, MonoTime now);
  [[nodiscard]] const Asker* find(int64_t id) const;
  // The answer is ready.
  std::optional<Asker> end(int64_t id);
  // The connection is gone, and its requests are dropped. Returns their ids.
  std::vector<int64_t> peer_gone(const std::string& peer);

  struct Beat {
    std::string peer;
    int64_t number = 0;
  };
  std::vector<Beat> beats_due(MonoTime now);
  [[nodiscard]] std::optional<MonoTime> next_due() const;
  [[nodiscard]] size_t size() const { return open_.size(); }

 private:
  struct Load {
    size_t requests = 0;
    size_t bytes = 0;
  };
  std::map<int64_t, Asker> open_;
  std::map<RequestIdentity, int64_t> ids_;
  std::map<std::string, Load> load_;  // by who
  size_t bytes_ = 0;
  int64_t last_id_ = 0;
};

}  // namespace pipekit
