#include "shared/endpoint.h"

#include <fmt/format.h>

namespace pipekit {
namespace {

constexpr size_t kMaxSocketPath = 107;  // sizeof sockaddr_un::sun_path - 1

Result<std::string> socket_in(const std::filesystem::path& data_dir, const char* name) {
  const auto path = (std::filesystem::absolute(data_dir) / name).lexically_normal().string();
  if (path.size() > kMaxSocketPath) {
    return Error{
        ErrorCode::kUsage,
        fmt::format("the socket's path {} has {} characters, {} are possible", path, path.size(), kMaxSocketPath),
        "choose a data directory with a shorter path"};
  }
  return "ipc://" + path;
}

}  // namespace

Result<std::string> control_endpoint_in(const std::filesystem::path& data_dir) {
  return socket_in(data_dir, "control.sock");
}
Result<std::string> worker_endpoint_in(const std::filesystem::path& data_dir) {
  return socket_in(data_dir, "worker.sock");
}

bool is_local(const std::string& endpoint) {
  for (const auto* prefix : {"ipc://", "inproc://", "tcp://localhost:", "tcp://[::1]:"}) {
    if (endpoint.starts_with(prefix)) return true;
  }
  // 127.0.0.0/8 in digits: a name that only begins like it may be anywhere.
  constexpr std::string_view kLoopback = "tcp://127.";
  const auto end = endpoint.find_first_not_of("0123456789.", kLoopback.size());
  return endpoint.starts_with(kLoopback) && end != std::string::npos && endpoint[end] == ':';
}

}  // namespace pipekit
