// Queries that wait for the read thread: a queue a client, served in turn, so that one who asks for much waits for
// itself. Pure; the read thread's.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "broker/turn.h"

namespace pipekit {

class ReadQueue {
 public:
  static constexpr size_t kMostOfOne = 128;
  static constexpr size_t kMost = 4096;  // where connections have no name, nobody knows how many are one client's

  // False: so much waits already that this one has to be refused.
  [[nodiscard]] bool has_room_for(const ReadJob& job) const;
  // A peer's tail replaces the one before it, here as where tails are parked: one that asks without reading gets one
  // answer.
  void add(ReadJob job);
  // The first of the client whose turn it is; nullopt: nothing waits.
  std::optional<ReadJob> next();
  // Nobody waits for it any more.
  void drop(int64_t id);
  [[nodiscard]] bool empty() const { return turns_.empty(); }

 private:
  std::map<std::string, std::deque<ReadJob>> waiting_;  // by ReadJob::who; none is empty
  std::deque<std::string> turns_;                       // its keys, whose turn it is first
  size_t size_ = 0;
};

}  // namespace pipekit
