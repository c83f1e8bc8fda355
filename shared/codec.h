// Bytes <-> messages. Decoding trusts nothing: sizes, nesting and types are checked, trailing bytes refused, and what
// cannot be read is an Error{kMalformed} that names the field. Thread-safe: no state.
#pragma once

#include <string>
#include <string_view>

#include "shared/error.h"
#include "shared/protocol.h"

namespace pipekit {

// The two frames of a message.
struct Frames {
  std::string head;  // {version, type}: the protocol version that brought the type
  std::string body;  // one msgpack map
};

Frames encode(const ClientToBroker& message);
Frames encode(const BrokerToClient& message);
Frames encode(const WorkerToBroker& message);
Frames encode(const BrokerToWorker& message);

// kVersionMismatch when the head names a version that this program does not speak.
Result<ClientToBroker> decode_client_to_broker(std::string_view head, std::string_view body);
Result<BrokerToClient> decode_broker_to_client(std::string_view head, std::string_view body);
Result<WorkerToBroker> decode_worker_to_broker(std::string_view head, std::string_view body);
Result<BrokerToWorker> decode_broker_to_worker(std::string_view head, std::string_view body);

// What a request says of itself, found without decoding it: nothing is built, whatever its arguments hold. Of a message
// that is no request, or broken, what was found until then.
struct RequestHead {
  std::string client;
  int64_t number = 0;
  int64_t age_ms = 0;
  std::string user;
  std::string verb;
  size_t items = 0;  // of the whole message
};
RequestHead head_of_request(std::string_view body);

// Single parts that are stored in the form that they have on the wire.
std::string pack(const std::vector<Event>& events);
std::string pack(const LogChunk& chunk);
Result<std::vector<Event>> unpack_events(std::string_view bytes);
Result<LogChunk> unpack_log_chunk(std::string_view bytes);

Json to_json(const ModuleSnapshot& snapshot);
Result<ModuleSnapshot> module_snapshot_from(const Json& json);

}  // namespace pipekit
