#include "ctl/output.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

namespace pipekit::ctl {
namespace {

constexpr size_t kNarrowestTerminal = 40;
constexpr size_t kUnknownWidth = 80;

size_t terminal_width(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUnknownWidth;
  return size.ws_col < kNarrowestTerminal ? kNarrowestTerminal : size.ws_col;
}

bool is_pipe(int fd) {
  struct stat info {};
  return fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

}  // namespace

Output::Output(int fd) : fd_(fd), terminal_(isatty(fd) == 1), pipe_(is_pipe(fd)) {}

void Output::write(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      throw ClosedOutput{};
    } else if (errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "cannot write to stdout");
    }
  }
}

Style Output::style(WallTime now) const {
  const char* no_color = std::getenv("NO_COLOR");
  const bool colour = terminal_ && (no_color == nullptr || *no_color == '\0');
  return {terminal_ ? terminal_width(fd_) : 0, colour, terminal_, now};
}

}  // namespace pipekit::ctl
