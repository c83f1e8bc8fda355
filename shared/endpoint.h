// The broker's endpoints, by CONTRACT.md's rules. Pure.
#pragma once

#include <filesystem>
#include <string>

#include "shared/error.h"
#include "shared/origin.h"

namespace pipekit {

inline constexpr auto kRunDir = "/run/pipekit";
inline constexpr auto kDefaultControlEndpoint = "ipc:///run/pipekit/control.sock";
inline constexpr auto kDefaultWorkerEndpoint = "ipc:///run/pipekit/worker.sock";

// ipc://DIR/control.sock and ipc://DIR/worker.sock; kUsage when the path is longer than a socket's name may be.
Result<std::string> control_endpoint_in(const std::filesystem::path& data_dir);
Result<std::string> worker_endpoint_in(const std::filesystem::path& data_dir);

// The endpoint that a program uses, from the endpoint and the data directory that it was given: the nearer origin
// decides, and at the same origin the endpoint does. So --data-dir DIR is complete whatever variables are set.
enum class Socket { control, worker };
Result<std::string> choose_endpoint(Socket socket, const Given& endpoint, const Given& data_dir);
// Whether the data directory decides it.
bool data_dir_decides(const Given& endpoint, const Given& data_dir);

// kUsage for an endpoint that ZeroMQ would misread, or refuse without a reason: another scheme, no port or one beyond
// 65535, several addresses, a socket's path that is too long or not written in full.
Result<void> check_endpoint(const std::string& endpoint);

bool is_ipc(const std::string& endpoint);
// Of an ipc endpoint.
std::string socket_path(const std::string& endpoint);

// Whether the endpoint that ZeroMQ reports as bound is the one that it was to bind. A host name matches any address,
// "*" any port.
bool is_bound_as_asked(const std::string& asked, const std::string& bound);

}  // namespace pipekit
