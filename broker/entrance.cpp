#include "broker/entrance.h"

#include <utility>

#include "shared/endpoint.h"

namespace pipekit {
namespace {

// For each socket; the rest waits for the next turn, so that timers are never starved.
constexpr int kMaxFramesPerTurn = 512;
constexpr int kMaxUnwantedPerTurn = 8192;  // dropping is much faster than receiving
constexpr char kLocal = 'L';  // first in the names of the local socket's peers; a routing id begins with a zero

bool drain_socket(RouterSocket& socket, size_t most_bytes, const RouterSocket::Wanted& wanted,
                  std::vector<Received>& into) {
  size_t bytes = 0;
  int unwanted = 0;
  for (int i = 0; i < kMaxFramesPerTurn && bytes < most_bytes && unwanted < kMaxUnwantedPerTurn;) {
    auto received = socket.try_receive(wanted);
    if (!received) return true;
    if (received->unwanted) {
      ++unwanted;
      continue;
    }
    ++i;
    bytes += received->frames.body.size();
    into.push_back(std::move(*received));
  }
  return false;
}

// A socket in the file system is guarded by its mode.
std::optional<KeyPair> keys_for(const EntranceConfig& config) {
  return is_ipc(config.endpoint) ? std::nullopt : config.keys;
}

std::optional<LocalSocket> take_place(const EntranceConfig& config) {
  const auto& endpoint = is_ipc(config.endpoint) ? config.endpoint : config.local;
  if (endpoint.empty()) return std::nullopt;
  auto place = LocalSocket::take(endpoint);
  if (!place) throw RefusedError(place.error());
  return std::move(*place);
}

}  // namespace

Entrance::Entrance(zmq::context_t& context, const EntranceConfig& config)
    : turn_bytes_(config.turn_bytes),
      place_(take_place(config)),
      socket_(context, config.endpoint, config.queue, keys_for(config), config.queue_bytes) {
  if (keys_for(config)) strangers_.emplace(context, socket_.socket());
  if (!config.local.empty()) local_.emplace(context, config.local, config.queue, std::nullopt, config.queue_bytes);
  if (!place_) return;
  if (auto opened = place_->open_to(config.group); !opened) throw RefusedError(opened.error());
}

void Entrance::add_to(Poller& poller) {
  poller.add(socket_.socket());
  if (strangers_) poller.add(strangers_->socket());
  if (local_) poller.add(local_->socket());
}

bool Entrance::drain(std::vector<Received>& into, const RouterSocket::Wanted& wanted) {
  const bool all = drain_socket(socket_, turn_bytes_, wanted, into);
  if (!local_) return all;
  const auto before = into.size();
  const bool all_local = drain_socket(*local_, turn_bytes_, wanted, into);
  for (auto i = before; i < into.size(); ++i) {
    if (!into[i].peer.empty()) into[i].peer.insert(0, 1, kLocal);
  }
  return all && all_local;
}

bool Entrance::send(const std::string& peer, Frames frames) {
  const bool local = local_ && !peer.empty() && peer.front() == kLocal;
  return local ? local_->send(peer.substr(1), std::move(frames)) : socket_.send(peer, std::move(frames));
}

}  // namespace pipekit
