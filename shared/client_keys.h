// The keys with which a worker or pipekit-ctl connects to a broker, from its options.
#pragma once

#include <optional>
#include <string>

#include "shared/channel.h"
#include "shared/error.h"

namespace pipekit {

// How to connect to the broker at an endpoint: to an ipc socket without keys, if only the broker can have created the
// socket (check_socket_dir); to tcp with keys, loopback included. kUsage when one of the
// two keys is missing or wrong; kRefused (exit 6) for tcp without keys, and for a socket or key file of others.
struct ClientOptions {
  std::string key_file{};
  std::string broker_key{};
  std::string broker_user{};       // the user that a local broker runs as; "": the installed unit's user
  bool any_owner_as_root = false;  // pipekit-ctl: root names the directory itself, and sends no secrets
};
Result<std::optional<ClientKeys>> client_keys(const std::string& endpoint, const ClientOptions& options);

// The error for a handshake that the broker refused.
Error handshake_refused(const std::string& endpoint, bool with_keys);

}  // namespace pipekit
