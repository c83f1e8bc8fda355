#include "ctl/output.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "ctl/verb.h"

namespace pipekit::ctl {
namespace {

constexpr size_t kNarrowestTerminal = 40;
constexpr size_t kUnknownWidth = 80;

size_t terminal_width(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUnknownWidth;
  return size.ws_col < kNarrowestTerminal ? kNarrowestTerminal : size.ws_col;
}

// watch(1) reads a pipe, and exports the size of the screen on which it shows what it has read. 0: nobody did.
size_t exported_width() {
  const char* columns = std::getenv("COLUMNS");
  const char* lines = std::getenv("LINES");
  if (columns == nullptr || lines == nullptr) return 0;
  const auto width = parse_integer(columns).value_or(0);
  return width <= 0 ? 0 : std::max(static_cast<size_t>(width), kNarrowestTerminal);
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
  const auto width = terminal_ ? terminal_width(fd_) : exported_width();
  return {width, colour, width > 0, now};
}

}  // namespace pipekit::ctl
