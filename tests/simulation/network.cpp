#include "tests/simulation/network.h"

#include <utility>

namespace pipekit::simulation {

void Network::listen(bool up) {
  listening_ = up;
  if (up) return;
  const auto connections = std::exchange(by_peer_, {});
  for (const auto& [peer, connection] : connections) drop(connection);
}

void Network::settle() {
  for (const auto& [peer, connection] : by_peer_) {
    for (auto* lane : {&connection->to_broker, &connection->to_peer}) {
      lane->last_ready = world_.now();
      for (auto& frame : lane->frames) frame.ready = world_.now();
    }
    world_.after(Millis{1}, [this, kept = connection] {
      flow(kept, true);
      flow(kept, false);
    });
  }
}

std::shared_ptr<Connection> Network::connect(Wire& wire, Side side) {
  auto connection = std::make_shared<Connection>();
  connection->peer = fmt::format("peer {}", ++connections_);
  connection->side = side;
  connection->wire = &wire;
  by_peer_[connection->peer] = connection;
  return connection;
}

void Network::drop(const std::shared_ptr<Connection>& connection) {
  if (connection->wire == nullptr) return;
  auto* wire = std::exchange(connection->wire, nullptr);
  by_peer_.erase(connection->peer);
  wire->broken();
}

void Network::send(Side side, const std::string& peer, Frames frames) {
  const auto found = by_peer_.find(peer);
  if (found == by_peer_.end() || found->second->side != side) return;
  push(found->second, false, std::move(frames));
}

void Network::push(const std::shared_ptr<Connection>& connection, bool to_broker, Frames frames) {
  auto& random = world_.random;
  if (random.chance(weather.breaks)) {
    world_.count("connections broken");
    world_.note("network: the connection of {} breaks", connection->peer);
    return drop(connection);
  }
  auto delay = std::chrono::microseconds{random.between(50, 3000)};
  if (random.chance(weather.slow)) {
    delay += std::chrono::microseconds{
        Millis{random.chance(100) ? random.between(3000, 45'000) : random.between(100, 3000)}};
    world_.count("frames delayed");
  }
  auto& lane = to_broker ? connection->to_broker : connection->to_peer;
  const bool twice = random.chance(weather.twice);
  if (twice) world_.count("frames doubled");
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    lane.last_ready = std::max(lane.last_ready, world_.now() + delay);
    lane.frames.push_back({lane.last_ready, frames});
    world_.at(lane.last_ready, [this, connection, to_broker] { flow(connection, to_broker); });
  }
}

void Network::flow(const std::shared_ptr<Connection>& connection, bool to_broker) {
  auto& lane = to_broker ? connection->to_broker : connection->to_peer;
  while (connection->wire != nullptr && !lane.frames.empty() && lane.frames.front().ready <= world_.now()) {
    if (to_broker ? connection->wire->cut_to_broker_ : connection->wire->cut_to_peer_) return;
    auto frames = std::move(lane.frames.front().frames);
    lane.frames.pop_front();
    if (to_broker) {
      deliver_(connection->side, {connection->peer, std::move(frames), connection->wire->key_});
    } else {
      connection->wire->receive_(std::move(frames));
    }
  }
}

Wire::Wire(World& world, Network& network, Side side, std::function<void(Frames)> receive, bool queues)
    : world_(world), network_(network), side_(side), receive_(std::move(receive)), queues_(queues) {}

void Wire::open() {
  open_ = true;
  try_connect(++socket_, world_.random.millis(0, 3));
}

void Wire::close() {
  open_ = false;
  ++socket_;
  waiting_.clear();
  if (connection_ == nullptr) return;
  connection_->wire = nullptr;
  network_.by_peer_.erase(connection_->peer);
  connection_.reset();
}

void Wire::try_connect(int64_t socket, MonoTime::duration delay) {
  world_.after(delay, [this, socket, self = std::weak_ptr(self_)] {
    if (self.expired() || socket != socket_ || connection_ != nullptr) return;
    if (!network_.listening() || cut_to_broker_ || cut_to_peer_) {
      return try_connect(socket, world_.random.millis(50, 200));
    }
    connection_ = network_.connect(*this, side_);
    for (auto& frames : std::exchange(waiting_, {})) send(frames);
    if (on_connected_) on_connected_();
  });
}

void Wire::broken() {
  connection_.reset();
  if (open_) try_connect(socket_, world_.random.millis(1, 200));
}

bool Wire::send(const Frames& frames) {
  if (connection_ == nullptr) {
    if (queues_) waiting_.push_back(frames);
    return queues_;
  }
  network_.push(connection_, true, frames);
  return true;
}

void Wire::cut(bool to_broker, bool to_peer) {
  cut_to_broker_ = to_broker;
  cut_to_peer_ = to_peer;
  const auto connection = connection_;  // a delivered frame may replace it
  if (connection == nullptr) return;
  network_.flow(connection, true);
  network_.flow(connection, false);
}

void Wire::break_connection() {
  if (const auto connection = connection_) network_.drop(connection);
}

}  // namespace pipekit::simulation
