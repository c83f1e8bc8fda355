// The second thread: answers queries from its own read-only connection, so that a long one never delays dispatch. The
// loop speaks to it over one inproc socket and nothing is shared.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <zmq.hpp>

#include "broker/turn.h"
#include "shared/codec.h"

namespace pipekit {

class ReadThread {
 public:
  ReadThread(zmq::context_t& context, std::filesystem::path store);
  ~ReadThread();
  ReadThread(const ReadThread&) = delete;
  ReadThread& operator=(const ReadThread&) = delete;

  void submit(const ReadJob& job);
  struct Answer {
    std::string peer;
    Frames frames;
    std::string overloaded_by{};  // whose queue was full; empty: this is an answer
  };
  // Throws what the thread died of.
  std::optional<Answer> try_receive();
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
  std::thread thread_;
};

}  // namespace pipekit
