#include "shared/channel.h"

#include <vector>

namespace pipekit {
namespace {

constexpr int kReceiveQueue = 10'000;

void limit(zmq::socket_t& socket, int send_queue) {
  socket.set(zmq::sockopt::linger, 200);  // ms: the last words of a process that ends in order
  socket.set(zmq::sockopt::maxmsgsize, static_cast<int64_t>(kMaxFrameBytes));
  socket.set(zmq::sockopt::sndhwm, send_queue);
  socket.set(zmq::sockopt::rcvhwm, kReceiveQueue);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::ipv6, true);
}

// Takes a whole message off the socket; nullopt when none waits. What has more than `wanted` parts is cut to wanted
// + 1.
std::optional<std::vector<zmq::message_t>> take(zmq::socket_t& socket, size_t wanted) {
  std::vector<zmq::message_t> parts;
  for (bool more = true; more;) {
    zmq::message_t part;
    const auto flags = parts.empty() ? zmq::recv_flags::dontwait : zmq::recv_flags::none;
    if (!socket.recv(part, flags)) return std::nullopt;
    more = part.more();
    if (parts.size() <= wanted) parts.push_back(std::move(part));
  }
  return parts;
}

// Written by the ZAP handler's answer, and the same for every message of a connection.
std::string key_of(zmq::message_t& part) {
  const char* id = zmq_msg_gets(part.handle(), "User-Id");
  return id == nullptr ? "" : id;
}

zmq::const_buffer bytes(const std::string& s) { return zmq::buffer(s); }

}  // namespace

RouterSocket::RouterSocket(zmq::context_t& context, const std::string& endpoint, int queue,
                           const std::optional<KeyPair>& keys)
    : socket_(context, zmq::socket_type::router) {
  limit(socket_, queue);
  if (keys) {
    socket_.set(zmq::sockopt::curve_server, true);
    socket_.set(zmq::sockopt::curve_secretkey, keys->secret_key);
    socket_.set(zmq::sockopt::zap_domain, "pipekit");
  }
  socket_.set(zmq::sockopt::router_mandatory, true);
  try {
    socket_.bind(endpoint);
  } catch (const zmq::error_t& error) {
    throw EndpointError("cannot listen on " + endpoint + ": " + error.what());
  }
}

std::optional<Received> RouterSocket::try_receive() {
  while (auto parts = take(socket_, 3)) {
    const auto& id = parts->front();
    const bool own_id = id.size() == 5 && *id.data<char>() == 0;
    if (parts->size() == 3 && own_id) {
      return Received{id.to_string(), {(*parts)[1].to_string(), (*parts)[2].to_string()}, key_of((*parts)[1])};
    }
    ++malformed_;
  }
  return std::nullopt;
}

bool RouterSocket::send(const std::string& peer, const Frames& frames) {
  try {
    // The first part decides: a peer that is gone (EHOSTUNREACH) or full (EAGAIN) refuses it.
    constexpr auto kMore = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (!socket_.send(bytes(peer), kMore)) return false;
    socket_.send(bytes(frames.head), kMore);
    socket_.send(bytes(frames.body), zmq::send_flags::dontwait);
    return true;
  } catch (const zmq::error_t& error) {
    if (error.num() == EHOSTUNREACH) return false;
    throw;
  }
}

DealerSocket::DealerSocket(zmq::context_t& context, const std::string& endpoint, bool queue,
                           const std::optional<ClientKeys>& keys)
    : socket_(context, zmq::socket_type::dealer) {
  // A worker's queue is bounded by its executors' windows (link.h); a fact refused here would leave a gap.
  limit(socket_, queue ? 0 : 1000);
  socket_.set(zmq::sockopt::immediate, !queue);
  if (keys) {
    socket_.set(zmq::sockopt::curve_serverkey, keys->broker);
    socket_.set(zmq::sockopt::curve_publickey, keys->own.public_key);
    socket_.set(zmq::sockopt::curve_secretkey, keys->own.secret_key);
  }
  socket_.set(zmq::sockopt::reconnect_ivl, 50);
  socket_.set(zmq::sockopt::reconnect_ivl_max, 1000);
  socket_.connect(endpoint);
}

std::optional<Received> DealerSocket::try_receive() {
  while (auto parts = take(socket_, 2)) {
    if (parts->size() == 2) return Received{{}, {(*parts)[0].to_string(), (*parts)[1].to_string()}, {}};
  }
  return std::nullopt;
}

bool DealerSocket::send(const Frames& frames) {
  constexpr auto kMore = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
  if (!socket_.send(bytes(frames.head), kMore)) return false;
  socket_.send(bytes(frames.body), zmq::send_flags::dontwait);
  return true;
}

}  // namespace pipekit
