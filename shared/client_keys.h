// The keys with which a worker or pipekit-ctl speaks to a broker, from its options.
#pragma once

#include <optional>
#include <string>

#include "shared/channel.h"
#include "shared/error.h"

namespace pipekit {

// None for a local endpoint without a key. kUsage when one of the two is missing or wrong; kRefused (exit 6) for an
// endpoint on another host without keys, or a key file that others can read.
Result<std::optional<ClientKeys>> client_keys(const std::string& endpoint, const std::string& key_file,
                                              const std::string& broker_key);

// What to say when the broker's end refused the handshake.
Error handshake_refused(const std::string& endpoint, bool with_keys);

}  // namespace pipekit
