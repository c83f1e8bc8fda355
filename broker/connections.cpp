#include "broker/connections.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "broker/accept.h"

namespace pipekit {
namespace {

// A group that is full is not looked through for connections that are gone more often than this.
constexpr Millis kLookAgain{100};
constexpr int kMostOnTcp = 16'384;

uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

struct Peer {
  bool tcp = false;
  std::string name;
};

// The owner of one address of an IPv6 network usually has all of them.
std::string network_of(const in6_addr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    ::inet_ntop(AF_INET, address.s6_addr + 12, text.data(), text.size());
    return text.data();
  }
  in6_addr network = address;
  if (!IN6_IS_ADDR_LOOPBACK(&address)) std::fill(network.s6_addr + 8, network.s6_addr + 16, uint8_t{0});
  ::inet_ntop(AF_INET6, &network, text.data(), text.size());
  return text.data();
}

Peer peer_of(int listener, int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {true, "?"};  // gone already
  if (address.ss_family == AF_INET) {
    std::array<char, INET_ADDRSTRLEN> text{};
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&address)->sin_addr, text.data(), text.size());
    return {true, text.data()};
  }
  if (address.ss_family == AF_INET6) return {true, network_of(reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr)};
  ucred user{};
  size = sizeof user;
  ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &size);
  return {false, fmt::format("uid {} at {}", user.uid, listener)};
}

int open_files_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
  return static_cast<int>(std::min<rlim_t>(files.rlim_cur, 1U << 30U));
}

UniqueFd open_spare() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

ConnectionLimits limits_of_connections(int open_files, int in_use, bool tcp) {
  ConnectionLimits limits;
  limits.open_files = open_files;
  limits.local_below = open_files - std::clamp(open_files / 8, 8, 64);
  const int tcp_room = std::clamp(open_files / 10 * 8 - in_use, 0, kMostOnTcp);
  limits.tcp_below = std::min(in_use + tcp_room, limits.local_below);
  limits.of_address = std::clamp(tcp_room / 4, 4, 2048);
  limits.of_key = std::clamp(tcp_room / 8, 4, 1024);
  limits.silent = std::max(tcp_room / 2, 4);
  limits.silent_of_address = std::clamp(tcp_room / 8, 4, 256);
  const int local_room = limits.local_below - (tcp ? limits.tcp_below : in_use);
  limits.of_user = std::clamp(local_room / 3, 4, 4096);
  return limits;
}

Connections::Connections(const Clock& clock, bool tcp)
    : clock_(clock), tcp_(tcp), spare_(open_spare()), news_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!spare_ || !news_) throw std::system_error(errno, std::generic_category(), "no descriptor is left to start with");
  const int open_files = open_files_limit();
  limits_ = limits_of_connections(open_files, std::min(64, open_files / 2), tcp);
  watch_accepts(this);
}

Connections::~Connections() { watch_accepts(nullptr); }

void Connections::begin() {
  const UniqueFd lowest = open_spare();
  const std::lock_guard lock(mutex_);
  if (lowest) limits_ = limits_of_connections(open_files_limit(), lowest.get(), tcp_);
}

bool Connections::admits(int listener, int fd) {
  const auto peer = peer_of(listener, fd);
  const auto now = clock_.now();
  const std::lock_guard lock(mutex_);
  forget(fd);  // of an earlier connection, which is gone
  if (fd >= (peer.tcp ? limits_.tcp_below : limits_.local_below)) {
    return refuse(peer.tcp ? "no descriptor is left for tcp; the rest is kept for local sockets and the store"
                           : "no descriptor is left for local sockets; the rest is kept for the store");
  }
  auto& group = by_peer_[peer.name];
  if (!has_room(group, peer.tcp ? limits_.of_address : limits_.of_user, now)) {
    return refuse(peer.tcp ? fmt::format("{} has {} connections already, the limit for one address", peer.name,
                                         limits_.of_address)
                           : fmt::format("{} has {} connections already, the limit for one local user",
                                         peer.name.substr(0, peer.name.find(" at ")), limits_.of_user));
  }
  if (peer.tcp && !has_room(silent_by_peer_[peer.name], limits_.silent_of_address, now)) {
    return refuse(fmt::format("{} has {} connections that have not sent anything yet, the limit for one address",
                              peer.name, limits_.silent_of_address));
  }
  if (peer.tcp && !has_room(silent_, limits_.silent, now)) {
    return refuse(fmt::format("{} connections have not sent anything yet, the limit for all", limits_.silent));
  }
  const auto cookie = cookie_of(fd);
  open_[fd] = {cookie, peer.tcp, false, peer.name};
  group.fds.insert(fd);
  if (peer.tcp) {
    silent_by_peer_[peer.name].fds.insert(fd);
    silent_.fds.insert(fd);
  }
  admitted_.push_back({now, fd, cookie});
  forget_names();
  return true;
}

// There may be many peers, and most never return.
void Connections::forget_names() {
  if (by_peer_.size() + silent_by_peer_.size() + by_key_.size() < 4 * open_.size() + 1024) return;
  const auto is_empty = [](const auto& entry) { return entry.second.fds.empty(); };
  std::erase_if(by_peer_, is_empty);
  std::erase_if(silent_by_peer_, is_empty);
  std::erase_if(by_key_,
                [](const auto& entry) { return entry.second.open.fds.empty() && entry.second.silent.empty(); });
}

void Connections::turn_away(int listener) {
  const std::lock_guard lock(mutex_);
  spare_.reset();
  UniqueFd taken(static_cast<int>(::syscall(SYS_accept4, listener, nullptr, nullptr, SOCK_CLOEXEC)));
  refuse("no descriptor is left at all");
  taken.reset();
  spare_ = open_spare();
}

bool Connections::refuse(std::string why) {
  // There may be many addresses: the log names the first ones only.
  constexpr size_t kReasons = 4;
  if (refused_.size() >= kReasons && !refused_.contains(why)) why = "too many connections at once";
  if (refused_.empty()) {
    const uint64_t one = 1;
    static_cast<void>(!::write(news_.get(), &one, sizeof one));
  }
  ++refused_[std::move(why)];
  ++refused_ever_;
  return false;
}

bool Connections::is_open(int fd, const Connection& connection) const { return cookie_of(fd) == connection.cookie; }

void Connections::forget(int fd) {
  const auto found = open_.find(fd);
  if (found == open_.end()) return;
  const auto& connection = found->second;
  by_peer_[connection.peer].fds.erase(fd);
  silent_by_peer_[connection.peer].fds.erase(fd);
  silent_.fds.erase(fd);
  if (!connection.key.empty()) by_key_[connection.key].open.fds.erase(fd);
  open_.erase(found);
}

void Connections::forget_gone(const std::set<int>& fds) {
  for (const int fd : std::vector<int>(fds.begin(), fds.end())) {
    const auto found = open_.find(fd);
    if (found != open_.end() && !is_open(fd, found->second)) forget(fd);
  }
}

bool Connections::has_room(Group& group, int limit, MonoTime now) {
  if (static_cast<int>(group.fds.size()) < limit) return true;
  if (now < group.looked_at + kLookAgain) return false;
  group.looked_at = now;
  forget_gone(group.fds);
  return static_cast<int>(group.fds.size()) < limit;
}

bool Connections::admits_key(const std::string& key, MonoTime now) {
  const std::lock_guard lock(mutex_);
  auto& of_key = by_key_[key];
  while (!of_key.silent.empty() && of_key.silent.front() + kSilence <= now) of_key.silent.pop_front();
  const auto waiting = static_cast<int>(of_key.silent.size());
  if (!has_room(of_key.open, limits_.of_key - waiting, now)) {
    return refuse(fmt::format("a key has {} connections already, the limit for one key", limits_.of_key));
  }
  of_key.silent.push_back(now);
  return true;
}

void Connections::spoke(int fd, const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(fd);
  if (found == open_.end() || found->second.spoke) return;
  auto& connection = found->second;
  connection.spoke = true;
  silent_.fds.erase(fd);
  silent_by_peer_[connection.peer].fds.erase(fd);
  if (key.empty()) return;
  connection.key = key;
  auto& of_key = by_key_[key];
  of_key.open.fds.insert(fd);
  if (!of_key.silent.empty()) of_key.silent.pop_front();
}

void Connections::cut_silent(MonoTime now) {
  const std::lock_guard lock(mutex_);
  for (; !admitted_.empty() && admitted_.front().at + kSilence <= now; admitted_.pop_front()) {
    const auto& oldest = admitted_.front();
    const auto found = open_.find(oldest.fd);
    if (found == open_.end() || found->second.cookie != oldest.cookie || found->second.spoke) continue;
    // ZeroMQ sees the end of it, and closes the descriptor, which is its own.
    if (is_open(oldest.fd, found->second)) ::shutdown(oldest.fd, SHUT_RDWR);
    forget(oldest.fd);
  }
}

std::optional<MonoTime> Connections::next_deadline() {
  const std::lock_guard lock(mutex_);
  for (; !admitted_.empty(); admitted_.pop_front()) {
    const auto found = open_.find(admitted_.front().fd);
    if (found != open_.end() && found->second.cookie == admitted_.front().cookie && !found->second.spoke) {
      return admitted_.front().at + kSilence;
    }
  }
  return std::nullopt;
}

std::map<std::string, int64_t> Connections::take_refused() {
  uint64_t ignored = 0;
  static_cast<void>(!::read(news_.get(), &ignored, sizeof ignored));
  const std::lock_guard lock(mutex_);
  return std::exchange(refused_, {});
}

int Connections::open_files() {
  const std::lock_guard lock(mutex_);
  return limits_.open_files;
}

Json Connections::json() {
  const std::lock_guard lock(mutex_);
  std::set<int> all;
  for (const auto& [fd, connection] : open_) all.insert(fd);
  forget_gone(all);
  const auto on_tcp = std::ranges::count_if(open_, [](const auto& entry) { return entry.second.tcp; });
  Json limits = {
      {"open_files", limits_.open_files}, {"local_below", limits_.local_below}, {"of_user", limits_.of_user}};
  if (tcp_) {
    limits.update({{"tcp_below", limits_.tcp_below},
                   {"of_address", limits_.of_address},
                   {"of_key", limits_.of_key},
                   {"silent", limits_.silent},
                   {"silent_of_address", limits_.silent_of_address}});
  }
  return {{"tcp", on_tcp},
          {"local", static_cast<int64_t>(open_.size()) - on_tcp},
          {"silent", static_cast<int64_t>(silent_.fds.size())},
          {"refused", refused_ever_},
          {"limits", limits}};
}

}  // namespace pipekit
