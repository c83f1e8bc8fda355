#include "shared/clock_set_fd.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace pipekit {

ClockSetFd::ClockSetFd() : fd_(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!fd_) throw std::system_error(errno, std::generic_category(), "timerfd");
  rearm();
}

// timerfd_create(2): a timer on an absolute time far away, cancelled (ECANCELED on read) when the clock is set.
void ClockSetFd::rearm() {
  uint64_t expirations = 0;
  [[maybe_unused]] const auto cancelled = ::read(fd_.get(), &expirations, sizeof expirations);
  itimerspec far{};
  far.it_value.tv_sec = 253402300799;  // the year 9999
  ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, nullptr);
}

}  // namespace pipekit
