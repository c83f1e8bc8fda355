#include "shared/endpoint.h"

#include <fmt/format.h>

#include <charconv>

namespace pipekit {
namespace {

constexpr size_t kMaxSocketPath = 107;  // sizeof sockaddr_un::sun_path - 1
constexpr std::string_view kIpc = "ipc://";
constexpr std::string_view kTcp = "tcp://";

Error too_long(const std::string& path) {
  return {ErrorCode::kUsage,
          fmt::format("the socket's path {} has {} characters, {} are possible", path, path.size(), kMaxSocketPath),
          "choose a directory with a shorter path"};
}

Result<std::string> socket_in(const std::filesystem::path& data_dir, const char* name) {
  const auto path = (std::filesystem::absolute(data_dir) / name).lexically_normal().string();
  if (path.size() > kMaxSocketPath) return too_long(path);
  return "ipc://" + path;
}

}  // namespace

Result<std::string> control_endpoint_in(const std::filesystem::path& data_dir) {
  return socket_in(data_dir, "control.sock");
}
Result<std::string> worker_endpoint_in(const std::filesystem::path& data_dir) {
  return socket_in(data_dir, "worker.sock");
}

Result<void> check_endpoint(const std::string& endpoint) {
  const auto wrong = [&] {
    return Error{ErrorCode::kUsage, fmt::format("\"{}\" is not an endpoint", endpoint),
                 "write tcp://HOST:PORT with a port from 1 to 65535, or ipc://PATH"};
  };
  if (endpoint.starts_with(kIpc)) {
    const auto path = endpoint.substr(kIpc.size());
    if (path.empty()) return wrong();
    return path.size() <= kMaxSocketPath ? Result<void>() : too_long(path);
  }
  const auto colon = endpoint.rfind(':');
  if (!endpoint.starts_with(kTcp) || colon <= kTcp.size()) return wrong();
  int port = 0;
  const auto* end = endpoint.data() + endpoint.size();
  const auto parsed = std::from_chars(endpoint.data() + colon + 1, end, port);
  if (parsed.ec != std::errc{} || parsed.ptr != end || port < 1 || port > 65'535) return wrong();
  return {};
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
