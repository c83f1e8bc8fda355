// The last step of every answer to a client, on any thread. The client's socket would drop an answer that is larger
// than a frame, and the broker would appear not to answer.
#pragma once

#include "shared/codec.h"

namespace pipekit {

// A Reply that is too large becomes the refusal too_large. `executed`: the command has been executed.
Frames encode_answer(const BrokerToClient& answer, bool executed);

}  // namespace pipekit
