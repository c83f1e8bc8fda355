#include "shared/channel.h"

#include <utility>
#include <vector>

#include "shared/endpoint.h"

namespace pipekit {
namespace {

constexpr int kReceiveQueue = 10'000;
// Each message may have 16 MiB, and ZeroMQ continues to read while the broker is busy.
constexpr int kRouterReceiveQueue = 512;
constexpr int kHandshakeMs = 3000;  // enough for any peer that answers; a silent connection is closed after it
constexpr size_t kSmall = 4096;     // smaller messages are not counted: a full queue of them is small, too

void limit(zmq::socket_t& socket, int send_queue) {
  socket.set(zmq::sockopt::linger, 200);  // ms: for the last messages of a process that ends cleanly
  socket.set(zmq::sockopt::maxmsgsize, static_cast<int64_t>(kMaxFrameBytes));
  socket.set(zmq::sockopt::sndhwm, send_queue);
  socket.set(zmq::sockopt::rcvhwm, kReceiveQueue);
  socket.set(zmq::sockopt::tcp_keepalive, 1);
  socket.set(zmq::sockopt::ipv6, true);
}

// Takes a whole message off the socket; nullopt when none waits. A message with more than `wanted` parts is cut to
// wanted + 1.
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

// For a peer on ipc ZeroMQ gives "localhost:UID:GID:PID".
std::string process_of(zmq::message_t& part) {
  const char* address = zmq_msg_gets(part.handle(), "Peer-Address");
  const std::string_view text = address == nullptr ? "" : address;
  const auto host = text.find(':');
  return host == std::string_view::npos ? "" : std::string(text.substr(host + 1));
}

zmq::const_buffer bytes(const std::string& s) { return zmq::buffer(s); }

// Bytes that count as held until ZeroMQ frees them.
struct Parcel {
  std::string bytes;
  std::shared_ptr<std::atomic<int64_t>> held;

  static void let_go_after_send(void*, void* parcel) {
    const std::unique_ptr<Parcel> own(static_cast<Parcel*>(parcel));
    *own->held -= static_cast<int64_t>(own->bytes.size());
  }
};

zmq::message_t parcel_of(std::string bytes, std::shared_ptr<std::atomic<int64_t>> held) {
  auto parcel = std::make_unique<Parcel>(Parcel{std::move(bytes), std::move(held)});
  auto& text = parcel->bytes;
  zmq::message_t message(text.data(), text.size(), Parcel::let_go_after_send, parcel.get());
  static_cast<void>(parcel.release());  // let_go_after_send owns it
  return message;
}

}  // namespace

RouterSocket::RouterSocket(zmq::context_t& context, const std::string& endpoint, int queue,
                           const std::optional<KeyPair>& keys, int64_t queue_bytes)
    : socket_(context, zmq::socket_type::router), queue_bytes_(queue_bytes), on_ipc_(endpoint.starts_with("ipc://")) {
  limit(socket_, queue);
  socket_.set(zmq::sockopt::rcvhwm, kRouterReceiveQueue);
  if (keys) {
    socket_.set(zmq::sockopt::curve_server, true);
    socket_.set(zmq::sockopt::curve_secretkey, keys->secret_key);
    socket_.set(zmq::sockopt::zap_domain, "pipekit");
  }
  socket_.set(zmq::sockopt::router_mandatory, true);
  socket_.set(zmq::sockopt::handshake_ivl, kHandshakeMs);
  try {
    socket_.bind(endpoint);
  } catch (const zmq::error_t& error) {
    throw EndpointError("cannot listen on " + endpoint + ": " + error.what());
  }
  const auto bound = socket_.get(zmq::sockopt::last_endpoint);
  if (!is_bound_as_asked(endpoint, bound)) throw EndpointError("cannot listen on " + endpoint + ": it became " + bound);
}

std::optional<Received> RouterSocket::try_receive(const Wanted& wanted) {
  auto parts = take(socket_, 3);
  if (!parts) return std::nullopt;
  const auto& id = parts->front();
  Received received;
  if (id.size() == 5 && *id.data<char>() == 0) received.peer = id.to_string();
  received.key = key_of(parts->back());
  received.fd = zmq_msg_get(parts->back().handle(), ZMQ_SRCFD);
  if (on_ipc_) received.process = process_of(parts->back());
  size_t bytes = 0;
  for (size_t i = 1; i < parts->size(); ++i) bytes += (*parts)[i].size();
  received.unwanted = wanted && !wanted(received, bytes);
  received.misshapen = parts->size() != 3 || received.peer.empty();
  if (!received.misshapen && !received.unwanted) received.frames = {(*parts)[1].to_string(), (*parts)[2].to_string()};
  return received;
}

RouterSocket::Held RouterSocket::hold(const std::string& peer, size_t bytes) {
  std::erase_if(held_, [](const auto& entry) { return *entry.second == 0; });
  auto& held = held_[peer];
  if (!held) held = std::make_shared<std::atomic<int64_t>>(0);
  const auto size = static_cast<int64_t>(bytes);
  if (*held > 0 && *held + size > queue_bytes_) return nullptr;
  *held += size;
  return held;
}

bool RouterSocket::send(const std::string& peer, Frames frames) {
  const bool large = frames.body.size() > kSmall;
  Held held = large ? hold(peer, frames.body.size()) : nullptr;
  if (large && !held) return false;
  auto body = large ? parcel_of(std::move(frames.body), std::move(held)) : zmq::message_t(frames.body);
  try {
    // The first part decides: a peer that is gone (EHOSTUNREACH) or full (EAGAIN) refuses it.
    constexpr auto kMore = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (!socket_.send(bytes(peer), kMore)) return false;
    socket_.send(bytes(frames.head), kMore);
    socket_.send(body, zmq::send_flags::dontwait);
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
