// Where the broker is reached, by CONTRACT.md's rules. Pure.
#pragma once

#include <filesystem>
#include <string>

#include "shared/error.h"

namespace pipekit {

inline constexpr auto kDefaultControlEndpoint = "tcp://127.0.0.1:7601";
inline constexpr auto kDefaultWorkerEndpoint = "tcp://127.0.0.1:7602";

// ipc://DIR/control.sock and ipc://DIR/worker.sock; kUsage when the path is longer than a socket's name may be.
Result<std::string> control_endpoint_in(const std::filesystem::path& data_dir);
Result<std::string> worker_endpoint_in(const std::filesystem::path& data_dir);

// kUsage for what ZeroMQ would take for something else, or refuse without saying why: another scheme, no port or one
// beyond 65535, a socket's path that is too long.
Result<void> check_endpoint(const std::string& endpoint);

// ipc, or tcp on a loopback address: nobody from another host gets there.
bool is_local(const std::string& endpoint);

}  // namespace pipekit
