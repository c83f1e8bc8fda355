#include "tests/support/tcp_proxy.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <future>
#include <list>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

namespace pipekit::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostHeld = 1 << 20;  // bytes per direction; then the sender waits

struct Piece {
  std::string bytes;
  Clock::time_point due;
};

// One direction of a connection.
struct Stream {
  std::deque<Piece> held;
  size_t size = 0;
  bool ended = false;  // the sender has sent everything
};

struct Connection {
  std::array<UniqueFd, 2> ends;  // client, server
  std::array<Stream, 2> to;      // data in transit to each
  bool broken = false;
};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

[[noreturn]] void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

UniqueFd new_socket() { return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

// Makes closing it send a reset instead of an end.
void make_abrupt(const UniqueFd& fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

bool would_wait() { return errno == EAGAIN || errno == EINTR || errno == EINPROGRESS || errno == ENOTCONN; }

}  // namespace

struct TcpProxy::Network {
  int target_port;
  UniqueFd listener = new_socket();
  UniqueFd told{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::list<Connection> connections;
  std::mutex mutex;  // protects `commands` only; everything else belongs to the thread
  std::vector<std::function<void()>> commands;
  bool ending = false;
  bool stalled = false;
  std::chrono::milliseconds late{0};

  int listen();
  void accept();
  void read_from(Connection& connection, size_t end) const;
  void write_to(Connection& connection, size_t end) const;
  void obey();
  [[nodiscard]] short wanted(const Connection& connection, size_t end, Clock::time_point now) const;
  [[nodiscard]] int timeout(Clock::time_point now) const;
  void wait_and_move();
};

int TcpProxy::Network::listen() {
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), generic, size) != 0 || ::listen(listener.get(), 64) != 0 ||
      ::getsockname(listener.get(), generic, &size) != 0) {
    throw_errno("proxy");
  }
  return ntohs(address.sin_port);
}

void TcpProxy::Network::accept() {
  UniqueFd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client) return;
  auto server = new_socket();
  const auto address = loopback(target_port);
  const int made = ::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (made != 0 && !would_wait()) return;  // closes the client's end too
  connections.push_back({});
  connections.back().ends = {std::move(client), std::move(server)};
}

void TcpProxy::Network::read_from(Connection& connection, size_t end) const {
  std::array<char, 65536> buffer{};
  const auto size = ::read(connection.ends[end].get(), buffer.data(), buffer.size());
  auto& stream = connection.to[1 - end];
  if (size > 0) {
    stream.held.push_back({std::string(buffer.data(), static_cast<size_t>(size)), Clock::now() + late});
    stream.size += static_cast<size_t>(size);
  }
  stream.ended = stream.ended || size == 0;
  connection.broken = connection.broken || (size < 0 && !would_wait());
}

void TcpProxy::Network::write_to(Connection& connection, size_t end) const {
  auto& stream = connection.to[end];
  const auto now = Clock::now();
  while (!stream.held.empty() && stream.held.front().due <= now) {
    auto& bytes = stream.held.front().bytes;
    const auto size = ::send(connection.ends[end].get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0) {
      connection.broken = connection.broken || !would_wait();
      return;
    }
    stream.size -= static_cast<size_t>(size);
    bytes.erase(0, static_cast<size_t>(size));
    if (!bytes.empty()) return;
    stream.held.pop_front();
  }
  // If one end has ended, ZeroMQ does not use the other half.
  if (stream.held.empty() && stream.ended) connection.broken = true;
}

void TcpProxy::Network::obey() {
  uint64_t ignored = 0;
  if (::read(told.get(), &ignored, sizeof ignored) < 0 && !would_wait()) throw_errno("eventfd");
  std::vector<std::function<void()>> todo;
  {
    const std::lock_guard lock(mutex);
    todo.swap(commands);
  }
  for (const auto& command : todo) command();
}

short TcpProxy::Network::wanted(const Connection& connection, size_t end, Clock::time_point now) const {
  if (stalled) return 0;
  const auto& from = connection.to[1 - end];
  const auto& to = connection.to[end];
  const bool reads = !from.ended && from.size < kMostHeld;
  const bool writes = (!to.held.empty() && to.held.front().due <= now) || (to.held.empty() && to.ended);
  return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

// The time until the next piece is due; -1 for ever.
int TcpProxy::Network::timeout(Clock::time_point now) const {
  auto least = std::chrono::milliseconds::max();
  for (const auto& connection : connections) {
    for (const auto& stream : connection.to) {
      if (stalled || stream.held.empty() || stream.held.front().due <= now) continue;
      least = std::min(least, std::chrono::ceil<std::chrono::milliseconds>(stream.held.front().due - now));
    }
  }
  return least == std::chrono::milliseconds::max() ? -1 : static_cast<int>(least.count());
}

void TcpProxy::Network::wait_and_move() {
  const auto now = Clock::now();
  std::vector<pollfd> fds = {{told.get(), POLLIN, 0}, {stalled ? -1 : listener.get(), POLLIN, 0}};
  for (const auto& connection : connections) {
    for (size_t end = 0; end < 2; ++end) {
      // A stalled end is not polled at all, because poll always reports errors.
      const short events = wanted(connection, end, now);
      fds.push_back({events == 0 ? -1 : connection.ends[end].get(), events, 0});
    }
  }
  if (::poll(fds.data(), fds.size(), timeout(now)) < 0 && errno != EINTR) throw_errno("poll");
  size_t at = 2;
  for (auto& connection : connections) {
    for (size_t end = 0; end < 2; ++end, ++at) {
      if ((fds[at].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_from(connection, end);
      if ((fds[at].revents & POLLOUT) != 0) write_to(connection, end);
    }
  }
  std::erase_if(connections, [](const Connection& connection) { return connection.broken; });
  if (fds[1].revents != 0) accept();
  if (fds[0].revents != 0) obey();
}

TcpProxy::TcpProxy(int target_port) : network_(std::make_unique<Network>()) {
  network_->target_port = target_port;
  port_ = network_->listen();
  thread_ = std::thread([this] { run(); });
}

TcpProxy::~TcpProxy() {
  tell([](Network& network) { network.ending = true; });
  thread_.join();
}

void TcpProxy::run() {
  while (!network_->ending) network_->wait_and_move();
}

void TcpProxy::tell(const std::function<void(Network&)>& what) {
  const auto done = std::make_shared<std::promise<void>>();  // the thread may still be using it when the wait ends
  {
    const std::lock_guard lock(network_->mutex);
    network_->commands.emplace_back([this, done, &what] {
      what(*network_);
      done->set_value();
    });
  }
  const uint64_t one = 1;
  if (::write(network_->told.get(), &one, sizeof one) != sizeof one) throw_errno("eventfd");
  done->get_future().wait();
}

int TcpProxy::reset_all() {
  int count = 0;
  tell([&](Network& network) {
    for (auto& connection : network.connections) {
      for (const auto& end : connection.ends) make_abrupt(end);
      ++count;
    }
    network.connections.clear();
  });
  return count;
}

void TcpProxy::stall() {
  tell([](Network& network) { network.stalled = true; });
}

void TcpProxy::flow() {
  tell([](Network& network) { network.stalled = false; });
}

void TcpProxy::delay(std::chrono::milliseconds by) {
  tell([by](Network& network) { network.late = by; });
}

}  // namespace pipekit::test
