// Jobs that wait for the read thread: one queue per client, served in turn, so that a client with many requests delays
// only itself. Pure; used by the read thread.
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
  static constexpr size_t kMost = 4096;  // connections without a name may all belong to one client

  // False: too many jobs wait already, so this one is refused.
  [[nodiscard]] bool has_room_for(const ReadJob& job) const;
  // A peer's tail request replaces its previous one, as it does among parked tails.
  void add(ReadJob job);
  // The first job of the client whose turn it is; nullopt: the queue is empty.
  std::optional<ReadJob> next();
  // Its client no longer waits for it.
  void drop(int64_t id);
  [[nodiscard]] bool empty() const { return turns_.empty(); }

 private:
  std::map<std::string, std::deque<ReadJob>> waiting_;  // by ReadJob::who; none is empty
  std::deque<std::string> turns_;                       // its keys, whose turn it is first
  size_t size_ = 0;
};

}  // namespace pipekit
