// Input: which decoder, the head's two bytes, the body.
#include "shared/codec.h"

#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

template <class Decode>
void message(Decode decode, std::string_view head, std::string_view body) {
  const auto read = decode(head, body);
  if (!read) return;
  const auto sent = encode(*read);
  const auto again = decode(sent.head, sent.body);
  require(again.ok(), "what was decoded can be encoded and decoded");
  const auto sent_again = encode(*again);
  require(sent.head == sent_again.head && sent.body == sent_again.body, "a message is the same after a round trip");
}

template <class Unpack>
void part(Unpack unpack, std::string_view bytes) {
  const auto read = unpack(bytes);
  if (!read) return;
  const auto kept = pack(*read);
  const auto again = unpack(kept);
  require(again.ok() && pack(*again) == kept, "a part is the same after a round trip");
}

void snapshot(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  const auto read = module_snapshot_from(json);
  if (!read) return;
  const auto kept = to_json(*read);
  const auto again = module_snapshot_from(kept);
  require(again.ok() && to_json(*again) == kept, "a snapshot is the same after a round trip");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const auto which = input.byte() % 7;
  if (which == 4) part(unpack_events, input.rest());
  if (which == 5) part(unpack_log_chunk, input.rest());
  if (which == 6) snapshot(input.rest());
  if (which > 3) return 0;
  const auto head = input.rest().substr(0, 2);
  const auto body = input.rest().substr(head.size());
  if (which == 0) message(decode_client_to_broker, head, body);
  if (which == 1) message(decode_broker_to_client, head, body);
  if (which == 2) message(decode_worker_to_broker, head, body);
  if (which == 3) message(decode_broker_to_worker, head, body);
  return 0;
}
