// ZeroMQ as the programs see it, simulated: a ROUTER at the broker for each side, DEALERs at the others. Within a
// connection, frames keep their order and arrive once. A connection that breaks loses what is in transit, in both
// directions, and its successor is a different peer to the router. A direction that is cut holds its frames until it
// heals.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "shared/channel.h"
#include "tests/simulation/world.h"

namespace pipekit::simulation {

enum class Side { workers, clients };

class Wire;

struct Lane {
  struct Frame {
    MonoTime ready;
    Frames frames;
  };
  std::deque<Frame> frames;
  MonoTime last_ready{};
};

struct Connection {
  std::string peer;  // the routing ID that the broker's socket assigned
  Side side = Side::workers;
  Wire* wire = nullptr;  // null: broken
  Lane to_broker;
  Lane to_peer;
};

class Network {
 public:
  using Deliver = std::function<void(Side, Received)>;

  explicit Network(World& world) : world_(world) {}
  void on_receive(Deliver deliver) { deliver_ = std::move(deliver); }

  // The broker's process is alive, or has died with all its connections.
  void listen(bool up);
  [[nodiscard]] bool listening() const { return listening_; }
  // From the broker. If the peer is gone, the message is lost.
  void send(Side side, const std::string& peer, Frames frames);

  // The chance, in a thousand, that a frame is delayed by seconds, arrives twice, or breaks its connection.
  struct Weather {
    int64_t slow = 0;
    int64_t twice = 0;
    int64_t breaks = 0;
  };
  Weather weather;
  // Delayed frames arrive now.
  void settle();

 private:
  friend class Wire;
  std::shared_ptr<Connection> connect(Wire& wire, Side side);
  void drop(const std::shared_ptr<Connection>& connection);
  void push(const std::shared_ptr<Connection>& connection, bool to_broker, Frames frames);
  void flow(const std::shared_ptr<Connection>& connection, bool to_broker);

  World& world_;
  Deliver deliver_;
  bool listening_ = false;
  int64_t connections_ = 0;
  std::map<std::string, std::shared_ptr<Connection>> by_peer_;
};

// A DEALER socket. It reconnects by itself as long as it is open.
class Wire {
 public:
  // `queues`: messages sent without a connection wait for one; otherwise send() returns false.
  Wire(World& world, Network& network, Side side, std::function<void(Frames)> receive, bool queues);
  ~Wire() { close(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void open();
  void close();  // drops everything in it
  void replace() {
    close();
    open();
  }
  bool send(const Frames& frames);
  void on_connected(std::function<void()> callback) { on_connected_ = std::move(callback); }
  // The public key that its handshakes prove; empty for a local peer.
  void bear(std::string key) { key_ = std::move(key); }

  // For the network, not for the program.
  void cut(bool to_broker, bool to_peer);
  void heal() { cut(false, false); }
  void break_connection();

 private:
  friend class Network;
  void try_connect(int64_t socket, MonoTime::duration delay);
  void broken();

  World& world_;
  Network& network_;
  Side side_;
  std::function<void(Frames)> receive_;
  std::function<void()> on_connected_;
  bool queues_;
  std::string key_;
  bool open_ = false;
  int64_t socket_ = 0;  // how many sockets this wire has had
  bool cut_to_broker_ = false;
  bool cut_to_peer_ = false;
  std::deque<Frames> waiting_;
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Wire*> self_ = std::make_shared<Wire*>(this);  // null when it is destroyed
};

}  // namespace pipekit::simulation
