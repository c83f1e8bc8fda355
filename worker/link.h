// An executor's thread and the worker's loop, in messages over one inproc socket; they share nothing else.
//
//   executor -> loop   a fact (encoded for the broker) · "may I start a child?" · a task's result · done
//   loop -> executor   go or stop (the answer) · acknowledged up to N · cancel · kill
//
// Link is the executor's end and belongs to its thread. LinkHub is the loop's end.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

#include "shared/codec.h"

namespace pipekit::worker {

// What an executor learns from the loop while it waits for a child.
class Link {
 public:
  // `id`: names the executor to the hub.
  Link(zmq::context_t& context, const std::string& id, RunKey key);

  // Facts are numbered here, from 1.
  int64_t send(FactBody body);
  void send(TaskResult result);
  void done();

  // Asks the loop whether the lease is still valid; false also when killed meanwhile. Blocks for the answer, which the
  // loop gives at once.
  bool may_start();
  // Blocks until the fact is durable at the broker; false when cancelled or killed before that.
  bool wait_acknowledged(int64_t seq);

  // Reads what the loop has sent; call when socket() is readable.
  void pump();
  zmq::socket_t& socket() { return socket_; }

  [[nodiscard]] bool cancelled() const { return cancelled_; }  // by an operator or the broker
  [[nodiscard]] bool killed() const { return killed_; }        // the lease has ended: nothing may be started any more
  // So much is unacknowledged that the child must wait.
  [[nodiscard]] bool congested() const { return open_bytes_ > kWindowBytes; }

 private:
  static constexpr int64_t kWindowBytes = int64_t{1024} * 1024;

  bool take(zmq::recv_flags flags);

  zmq::socket_t socket_;
  RunKey key_;
  int64_t seq_ = 0;
  int64_t acknowledged_ = 0;
  std::deque<std::pair<int64_t, int64_t>> open_;  // seq, bytes
  int64_t open_bytes_ = 0;
  std::optional<bool> answer_;
  bool cancelled_ = false;
  bool killed_ = false;
};

// What arrives at the loop.
struct FromExecutor {
  enum class Kind { fact, may_start, result, done };
  std::string id;
  Kind kind = Kind::fact;
  RunKey key;
  int64_t seq = 0;
  bool final = false;
  Frames frames;  // fact, result
};

class LinkHub {
 public:
  explicit LinkHub(zmq::context_t& context);
  std::optional<FromExecutor> try_receive();
  void answer(const std::string& id, bool go);
  void acknowledged(const std::string& id, int64_t seq);
  void cancel(const std::string& id);
  void kill(const std::string& id);
  zmq::socket_t& socket() { return socket_; }

 private:
  void send(const std::string& id, char kind, int64_t seq = 0);
  zmq::socket_t socket_;
};

}  // namespace pipekit::worker
