// The keys with which a worker or pipekit-ctl speaks to a broker, from its options.
#pragma once

#include <optional>
#include <string>

#include "shared/channel.h"
#include "shared/error.h"

namespace pipekit {

// How to speak to the broker at an endpoint: without keys to an ipc socket, whose directory must be one where nobody
// but the broker can have created it (check_socket_dir); with keys to tcp, loopback included. kUsage when one of the
// two keys is missing or wrong; kRefused (exit 6) for tcp without keys, and for a socket or key file of others.
struct ClientOptions {
  std::string key_file{};
  std::string broker_key{};
  std::string broker_user{};       // whose directories are the broker's; "": the installed unit's
  bool any_owner_as_root = false;  // of a client that the broker can only lie to: root names whose socket it wants
};
Result<std::optional<ClientKeys>> client_keys(const std::string& endpoint, const ClientOptions& options);

// What to say when the broker's end refused the handshake.
Error handshake_refused(const std::string& endpoint, bool with_keys);

}  // namespace pipekit
