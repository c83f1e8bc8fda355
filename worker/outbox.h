// Facts that the broker has not acknowledged, per attempt and in order: pure. The loop's thread. Its size is bounded
// by the executors, each of which stops reading its child's output while too much of its own is open (link.h).
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "shared/codec.h"

namespace pipekit::worker {

class Outbox {
 public:
  // Encoded once; sent again as it is.
  void add(RunKey key, int64_t seq, bool final, Frames frames);
  // Everything up to seq is durable. True when the final fact was among it: the attempt is over.
  bool acknowledged(RunKey key, int64_t seq);
  // All that is open, each attempt's in order: for a new socket.
  [[nodiscard]] std::vector<const Frames*> open() const;
  [[nodiscard]] bool empty() const { return facts_.empty(); }

 private:
  struct Entry {
    int64_t seq;
    bool final;
    Frames frames;
  };
  std::map<RunKey, std::deque<Entry>> facts_;
};

}  // namespace pipekit::worker
