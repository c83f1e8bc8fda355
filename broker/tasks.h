// Open tasks of workers on behalf of waiting clients (connection.test, module.preview). In memory only: they change
// nothing, and a client without an answer asks again. Pure; the loop's thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "broker/requests_under_way.h"
#include "shared/clock.h"
#include "shared/protocol.h"

namespace pipekit {

class Tasks {
 public:
  static constexpr Millis kLimit{120'000};

  // Ids go on from `last_id`: a worker that outlives the broker must not meet the same one again.
  explicit Tasks(int64_t last_id = 0) : last_id_(last_id) {}

  using Uses = std::vector<std::pair<std::string, int64_t>>;  // connections with their max_sessions
  static constexpr int64_t kMostOfOne = 16;
  static constexpr size_t kMost = 1000;

  struct Asker {
    RequestIdentity identity;
    std::string peer;  // the last that asked
    std::string who;   // whose it is: peer_limits.h
    std::string worker;
    std::string incarnation;
    Uses uses;
    MonoTime deadline{};
  };

  // True: the question is open already; its answer will go to `peer`.
  bool asked_again(const RequestIdentity& identity, const std::string& peer);
  [[nodiscard]] bool has_room_for(const std::string& who) const;
  [[nodiscard]] int64_t open_at(const std::string& worker) const;
  int64_t begin(Asker asker, MonoTime now);
  // An answer has arrived; nullopt: this question was not put to this worker in this incarnation.
  std::optional<Asker> end(int64_t id, const std::string& worker, const std::string& incarnation);
  struct Dropped {
    int64_t id = 0;
    std::string worker;
  };
  // Its client no longer waits for it.
  std::optional<Dropped> drop(const std::string& owner, const std::string& client, int64_t number);
  // Removes the questions whose worker is gone or too slow, and returns them.
  std::vector<Asker> overdue(MonoTime now);
  std::vector<Asker> worker_gone(const std::string& worker);
  [[nodiscard]] std::optional<MonoTime> next_deadline() const;
  // The broker was paused for that long.
  void forgive(MonoTime::duration stall) {
    for (auto& [id, asker] : open_) asker.deadline += stall;
  }
  // How many each connection has for the open ones.
  [[nodiscard]] std::map<std::string, int64_t> sessions() const;

 private:
  template <class Predicate>
  std::vector<Asker> take(Predicate predicate);
  std::map<int64_t, Asker> open_;
  int64_t last_id_;
};

}  // namespace pipekit
