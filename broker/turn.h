// One pass of the broker's loop: collects the results of its frames and its clock, in order, before anything is sent. A
// turn is one transaction; each frame is a savepoint in it. The results of a refused frame are dropped with it (Mark).
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "broker/definitions/apply.h"
#include "broker/store/events.h"
#include "shared/clock.h"
#include "shared/codec.h"
#include "shared/protocol.h"

namespace pipekit {

struct ToClient {
  std::string peer;
  BrokerToClient message;
};
struct ToWorker {
  std::string peer;
  BrokerToWorker message;
};
using Outgoing = std::variant<ToClient, ToWorker>;

// A job for the read thread, which starts after the commit. `live`: data that is only in memory, for `status`.
struct ReadJob {
  std::string peer;  // of a tail; for other jobs RequestsUnderWay knows the latest peer
  ClientToBroker request;
  Json live;
  int64_t wall_ms = 0;     // of the turn
  std::string who;         // its client: peer_limits.h
  int64_t id = 0;          // of the request under way; 0: a tail
  Frames frames{};         // of a document, as received: the loop does not decode it
  int64_t generation = 0;  // of the definitions when it was submitted (modules.h)
  int redone = 0;
};

// A document that was checked on the read thread and can be written, unless definitions have changed meanwhile.
struct CheckedDocument {
  ReadJob job;
  Request request;  // its arguments without the document
  definitions::Plan plan;
};

// The result of a ReadJob.
using ReadOutcome = std::variant<BrokerToClient, std::unique_ptr<CheckedDocument>>;

WireError to_wire(const Error& error);

class Turn {
 public:
  Turn(MonoTime mono, WallTime utc, int64_t last_seq) : now(mono), wall(utc), seq_(last_seq) {}

  const MonoTime now;
  const WallTime wall;

  [[nodiscard]] int64_t next_seq() const { return seq_ + 1; }
  // Returns the event's number, which is final once the frame is accepted.
  int64_t emit(Event event);
  void log(LogChunk chunk);

  void to_client(std::string peer, BrokerToClient message) {
    sends.emplace_back(ToClient{std::move(peer), std::move(message)});
  }
  void refuse(std::string peer, int64_t number, const Error& error, Json body = nullptr) {
    ++refusals_;
    to_client(std::move(peer), Reply{number, to_wire(error), std::move(body)});
  }
  [[nodiscard]] int64_t refusals() const { return refusals_; }
  void to_worker(std::string peer, BrokerToWorker message) {
    sends.emplace_back(ToWorker{std::move(peer), std::move(message)});
  }

  struct Mark {
    size_t chunks, sends, reads;
    size_t events_in_last;
    int64_t seq;
  };
  [[nodiscard]] Mark mark() const;
  void rollback(const Mark& mark);

  std::vector<store::events::Numbered> chunks;
  std::vector<Outgoing> sends;
  std::vector<ReadJob> reads;
  std::vector<std::unique_ptr<CheckedDocument>> spent;

 private:
  int64_t seq_;  // the last number given
  int64_t refusals_ = 0;
  int64_t open_bytes_ = 0;  // of the last chunk, if it holds events; too many after a rollback
};

}  // namespace pipekit
