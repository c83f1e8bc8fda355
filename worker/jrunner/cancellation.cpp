#include "worker/jrunner/cancellation.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

#include "worker/jrunner/failure.h"

namespace pipekit::jrunner {
namespace {

constexpr std::array kEndingSignals{SIGTERM, SIGINT, SIGHUP};

std::atomic<Cancellation*> receiver{nullptr};
static_assert(std::atomic<Cancellation*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void pipekit_jrunner_on_signal(int number) {
  const int saved = errno;
  auto* cancellation = receiver.load();
  if (cancellation == nullptr || cancellation->requested()) ::_exit(128 + number);
  cancellation->request(number);
  errno = saved;
}

}  // namespace

Cancellation::Cancellation() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Cancellation::~Cancellation() {
  auto* self = this;
  receiver.compare_exchange_strong(self, nullptr);
}

void Cancellation::take_signals() {
  receiver = this;
  struct sigaction action {};
  action.sa_handler = &pipekit_jrunner_on_signal;
  action.sa_flags = SA_RESTART;  // waits poll the descriptor; nothing relies on EINTR
  sigemptyset(&action.sa_mask);
  for (const int number : kEndingSignals) ::sigaction(number, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

void Cancellation::request(int reason) noexcept {
  int none = 0;
  if (!reason_.compare_exchange_strong(none, reason)) return;
  const uint64_t one = 1;
  // Cannot fail: the counter of a fresh eventfd has room.
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void Cancellation::throw_if_requested() const {
  if (requested()) throw Interrupted(reason());
}

}  // namespace pipekit::jrunner
