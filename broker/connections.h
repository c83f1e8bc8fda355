// How many connections the broker holds, and whose. Descriptors are what strangers can use up: a broker without one
// cannot serve anybody, and ZeroMQ aborts the process when accept(2) on an ipc socket finds none. So each connection is
// judged inside accept(2) itself (accept.cpp), before ZeroMQ sees it: a monitor would hear of it too late.
//
// - The kernel gives out the lowest free descriptor. A connection on tcp whose number is at 80 % of the limit or above
//   is closed at once: the rest is for local sockets, and the last part for the store and the log. The sockets stay
//   bound, because ZeroMQ closes every connection of a socket that is unbound: strangers could cut off the workers.
// - One address, one key, one local user and the connections that have not said anything yet have limits of their own.
// - A connection that says nothing for kSilence is cut: so whoever holds one is known by its key.
//
// ZeroMQ's thread calls admits and turn_away, the broker's thread the rest.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "shared/clock.h"
#include "shared/protocol.h"
#include "shared/unique_fd.h"

namespace pipekit {

struct ConnectionLimits {
  int open_files = 0;   // RLIMIT_NOFILE
  int tcp_below = 0;    // descriptors that connections on tcp may have
  int local_below = 0;  // and those on ipc
  int of_address = 0;   // on tcp; of IPv6: of a /64 network
  int of_key = 0;       // on tcp
  int of_user = 0;      // a uid's, at each local socket
  int silent = 0;       // on tcp, of those that have not said anything yet
  int silent_of_address = 0;
};

// `in_use`: descriptors that the broker has without any connection.
ConnectionLimits limits_of_connections(int open_files, int in_use, bool tcp);

class Connections {
 public:
  static constexpr std::chrono::seconds kSilence{10};

  // Judges the accepted connections of this process until it is destroyed. One for each process.
  Connections(const Clock& clock, bool tcp);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;
  // When all sockets are bound: the limits, from the descriptors that are left.
  void begin();

  // Of an accepted connection. False: it is to be closed.
  bool admits(int listener, int fd);
  // No descriptor was left to accept a connection: takes it off the queue and closes it.
  void turn_away(int listener);

  // Whether one more connection with the key may finish its handshake.
  bool admits_key(const std::string& key, MonoTime now);
  // A frame came on the connection.
  void spoke(int fd, const std::string& key);
  void cut_silent(MonoTime now);
  [[nodiscard]] std::optional<MonoTime> next_deadline();

  // Readable when connections were refused.
  [[nodiscard]] int fd() const { return news_.get(); }
  // The reasons for which connections were refused since the last call, each with their number.
  std::map<std::string, int64_t> take_refused();
  [[nodiscard]] int open_files();
  [[nodiscard]] Json json();

 private:
  struct Connection {
    uint64_t cookie = 0;  // the kernel's, of this socket: its descriptor may be another's by now
    bool tcp = false;
    bool spoke = false;
    std::string peer;  // the address, or the listener and the uid
    std::string key{};
  };
  struct Group {
    std::set<int> fds;
    MonoTime looked_at{};
  };
  struct Key {
    Group open;
    std::deque<MonoTime> silent;  // admitted, nothing said yet
  };
  struct Admitted {
    MonoTime at;
    int fd;
    uint64_t cookie;
  };

  bool refuse(std::string why);
  void forget(int fd);
  void forget_names();
  // Whether the group has room, after connections that are gone were removed from it.
  bool has_room(Group& group, int limit, MonoTime now);
  void forget_gone(const std::set<int>& fds);
  [[nodiscard]] bool is_open(int fd, const Connection& connection) const;

  const Clock& clock_;
  const bool tcp_;
  std::mutex mutex_;
  ConnectionLimits limits_;
  UniqueFd spare_;  // so that one more can be accepted, to be closed
  UniqueFd news_;
  std::unordered_map<int, Connection> open_;
  std::map<std::string, Group> by_peer_;
  std::map<std::string, Group> silent_by_peer_;
  Group silent_;  // on tcp
  std::map<std::string, Key> by_key_;
  std::deque<Admitted> admitted_;  // oldest first
  std::map<std::string, int64_t> refused_;
  int64_t refused_ever_ = 0;
};

}  // namespace pipekit
