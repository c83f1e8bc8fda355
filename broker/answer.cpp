#include "broker/answer.h"

#include <fmt/format.h>

namespace pipekit {

Frames encode_answer(const BrokerToClient& answer, bool executed) {
  auto frames = encode(answer);
  const auto* reply = std::get_if<Reply>(&answer);
  if (frames.body.size() <= kMaxFrameBytes || reply == nullptr) return frames;
  Reply refusal;
  refusal.number = reply->number;
  refusal.error = WireError{
      std::string(to_string(ErrorCode::kTooLarge)),
      fmt::format("{}the answer has {} MiB; at most {} MiB are allowed",
                  executed ? "the command was executed, but " : "", frames.body.size() >> 20U, kMaxFrameBytes >> 20U),
      "ask for less: one object with show, a list with --limit or as a table"};
  return encode(BrokerToClient{std::move(refusal)});
}

}  // namespace pipekit
