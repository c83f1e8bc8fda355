// The last step of every answer to a client, on whichever thread: one that fits into no frame would be dropped by the
// client's socket, and look like a broker that is silent.
#pragma once

#include "shared/codec.h"

namespace pipekit {

// A Reply that is too large becomes the refusal too_large. `executed`: what was asked for has been done.
Frames encode_answer(const BrokerToClient& answer, bool executed);

}  // namespace pipekit
