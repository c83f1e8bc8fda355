// The second thread: answers queries and checks documents from its own read-only connection, so that a long one never
// delays dispatch. The loop speaks to it over one inproc socket. Messages are pointers to what one side gives to the
// other; nothing else is shared but the number of an abandoned job.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
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

  void submit(ReadJob job);
  // Nobody waits for the answer to this job any more: it is not begun, or ended where it is.
  void abandon(int64_t id);
  // Takes a document that the loop is done with: to free one takes long, too.
  void discard(std::unique_ptr<CheckedDocument> spent);

  struct Answer {
    int64_t id = 0;    // of the request under way; 0: to a tail
    std::string peer;  // of the tail
    Frames frames;
    std::string overloaded_by{};                 // whose queue was full; empty: this is an answer
    std::unique_ptr<CheckedDocument> checked{};  // in place of frames
    std::string died_of{};                       // the thread has ended
  };
  // Throws what the thread died of.
  std::optional<Answer> try_receive();
  zmq::socket_t& socket() { return socket_; }

 private:
  std::atomic<int64_t> abandoned_{0};
  zmq::socket_t socket_;
  std::thread thread_;
};

}  // namespace pipekit
