#include "ctl/output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "ctl/config.h"
#include "ctl/verb.h"
#include "shared/terminal_text.h"

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

std::string_view sequence_of(char mark) {
  switch (mark) {
    case 'b':
      return "\x1b[1m";
    case 'd':
      return "\x1b[2m";
    case 'g':
      return "\x1b[32m";
    case 'r':
      return "\x1b[31m";
    case 'y':
      return "\x1b[33m";
    case 'c':
      return "\x1b[36m";
    case kTintEnd:
      return "\x1b[0m";
    default:
      return {};
  }
}

}  // namespace

Looks looks_of(bool terminal, const std::function<std::optional<std::string>(const std::string&)>& environment) {
  const auto value = [&](const char* name) { return environment(name).value_or(""); };
  const auto term = value("TERM");
  const bool able = terminal && !term.empty() && term != "dumb";
  const auto force = value("CLICOLOR_FORCE");
  const bool forced = !force.empty() && force != "0";
  const bool unwanted = !value("NO_COLOR").empty() || (!forced && value("CLICOLOR") == "0");
  return {!unwanted && (able || forced), able};
}

std::string shown(std::string_view marked, bool colour) {
  std::string out;
  bool tinted = false;
  while (!marked.empty()) {
    const auto at = std::min(marked.find(kTintMark), marked.size());
    out += terminal_text(marked.substr(0, at));
    marked.remove_prefix(at);
    if (marked.empty()) break;
    const char mark = marked.size() > 1 ? marked[1] : '\0';
    const auto sequence = sequence_of(mark);
    if (colour && !sequence.empty()) {
      out += sequence;
      tinted = mark != kTintEnd;
    }
    if (sequence.empty()) out += terminal_text(marked.substr(0, 1));
    marked.remove_prefix(sequence.empty() ? 1 : 2);
  }
  return tinted ? out.append(sequence_of(kTintEnd)) : out;
}

Output::Output(int fd)
    : fd_(fd), terminal_(isatty(fd) == 1), pipe_(is_pipe(fd)), looks_(looks_of(terminal_, process_environment())) {}

void Output::write(std::string_view text) { write_raw(shown(text, looks_.colour)); }

void Output::write_data(std::string_view text) { write_raw(data_text(text)); }

void Output::rewrite_line(std::string_view text) { write_raw("\r\x1b[K" + shown(text, looks_.colour)); }

void Output::write_raw(std::string_view bytes) {
  while (!bytes.empty() && !failed_) {
    const auto written = ::write(fd_, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {  // somebody who shares the file made it non-blocking
      pollfd room{fd_, POLLOUT, 0};
      poll(&room, 1, -1);
    } else if (errno != EINTR) {
      failed_ = true;
      if (errno != EPIPE) error_ = errno;
    }
  }
}

Style Output::style(WallTime now) const {
  const auto width = terminal_ ? terminal_width(fd_) : exported_width();
  return {width, looks_.colour, width > 0, now};
}

}  // namespace pipekit::ctl
