#include "shared/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

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

// Of a host: letters, digits and what separates them. Above all no ';', after which ZeroMQ reads a second address.
bool is_host(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view(".-_:[]%*").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

// As IPv6; nullopt for a name.
std::optional<std::array<unsigned char, 16>> address_of(std::string_view host) {
  std::string text(host);
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  std::array<unsigned char, 16> address{};
  if (::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (::inet_pton(AF_INET, text.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

Result<void> check_socket_path(const std::string& path) {
  const auto parts = std::filesystem::path(path);
  const bool full = path.starts_with('/') && !path.ends_with('/') &&
                    std::ranges::none_of(parts, [](const auto& part) { return part == ".."; }) &&
                    std::ranges::none_of(path, [](unsigned char c) { return std::iscntrl(c) != 0; });
  if (!full) {
    return Error{ErrorCode::kUsage,
                 fmt::format("\"ipc://{}\" is not an endpoint: the socket's path is not a full path", path),
                 "write the path in full: ipc:///run/pipekit/control.sock"};
  }
  return path.size() <= kMaxSocketPath ? Result<void>() : too_long(path);
}

std::pair<std::string_view, std::string_view> host_and_port(std::string_view endpoint) {
  const auto colon = endpoint.rfind(':');
  if (!endpoint.starts_with(kTcp) || colon == std::string_view::npos || colon < kTcp.size()) return {};
  return {endpoint.substr(kTcp.size(), colon - kTcp.size()), endpoint.substr(colon + 1)};
}

}  // namespace

Result<std::string> control_endpoint_in(const std::filesystem::path& data_dir) {
  return socket_in(data_dir, "control.sock");
}
Result<std::string> worker_endpoint_in(const std::filesystem::path& data_dir) {
  return socket_in(data_dir, "worker.sock");
}

bool data_dir_decides(const Given& endpoint, const Given& data_dir) {
  return !data_dir.value.empty() && (endpoint.value.empty() || data_dir.origin < endpoint.origin);
}

Result<std::string> choose_endpoint(Socket socket, const Given& endpoint, const Given& data_dir) {
  const bool control = socket == Socket::control;
  if (data_dir_decides(endpoint, data_dir)) {
    return control ? control_endpoint_in(data_dir.value) : worker_endpoint_in(data_dir.value);
  }
  if (endpoint.value.empty()) return std::string(control ? kDefaultControlEndpoint : kDefaultWorkerEndpoint);
  if (auto checked = check_endpoint(endpoint.value); !checked) return checked.error();
  return endpoint.value;
}

Result<void> check_endpoint(const std::string& endpoint) {
  const auto wrong = [&] {
    return Error{ErrorCode::kUsage, fmt::format("\"{}\" is not an endpoint", endpoint),
                 "write tcp://HOST:PORT with a port from 1 to 65535, or ipc://PATH"};
  };
  if (endpoint.starts_with(kIpc)) {
    const auto path = endpoint.substr(kIpc.size());
    return path.empty() ? wrong() : check_socket_path(path);
  }
  const auto [host, digits] = host_and_port(endpoint);
  if (!is_host(host)) return wrong();
  int port = 0;
  const auto* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, port);
  if (parsed.ec != std::errc{} || parsed.ptr != end || port < 1 || port > 65'535) return wrong();
  return {};
}

bool is_ipc(const std::string& endpoint) { return endpoint.starts_with(kIpc); }

std::string socket_path(const std::string& endpoint) { return endpoint.substr(kIpc.size()); }

bool is_bound_as_asked(const std::string& asked, const std::string& bound) {
  if (!asked.starts_with(kTcp)) return asked == bound;
  const auto [host, port] = host_and_port(asked);
  const auto [bound_host, bound_port] = host_and_port(bound);
  if (!is_host(host) || bound_host.empty() || (port != "*" && port != bound_port)) return false;
  const auto address = address_of(host);
  return !address || address == address_of(bound_host);
}

}  // namespace pipekit
