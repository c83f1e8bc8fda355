#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>

#include "ctl/output.h"

namespace pipekit::ctl {
namespace {

Looks looks(bool terminal, std::map<std::string, std::string> variables) {
  return looks_of(terminal, [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(CtlOutput, colours_are_for_terminals_that_have_them_and_people_who_want_them) {
  EXPECT_TRUE(looks(true, {{"TERM", "xterm"}}).colour);
  EXPECT_TRUE(looks(true, {{"TERM", "xterm"}, {"NO_COLOR", ""}}).colour) << "empty is unset";
  EXPECT_FALSE(looks(false, {{"TERM", "xterm"}}).colour);
  EXPECT_FALSE(looks(true, {{"TERM", "dumb"}}).colour);
  EXPECT_FALSE(looks(true, {}).colour);
  EXPECT_FALSE(looks(true, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}).colour);
  EXPECT_FALSE(looks(true, {{"TERM", "xterm"}, {"CLICOLOR", "0"}}).colour);
  EXPECT_TRUE(looks(false, {{"CLICOLOR_FORCE", "1"}}).colour);
  EXPECT_FALSE(looks(false, {{"CLICOLOR_FORCE", "1"}, {"NO_COLOR", "1"}}).colour);
}

TEST(CtlOutput, a_line_is_repainted_only_where_the_terminal_can) {
  EXPECT_TRUE(looks(true, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}).repaint);
  EXPECT_FALSE(looks(true, {{"TERM", "dumb"}}).repaint);
  EXPECT_FALSE(looks(false, {{"TERM", "xterm"}, {"CLICOLOR_FORCE", "1"}}).repaint);
}

TEST(CtlOutput, only_colours_that_were_asked_for_reach_a_terminal) {
  const Style style = {80, true, true, {}};
  const auto line = tinted("e\x1b[5mrror\xFF", Tint::bad, style) +
                    " \x1b[2J\t\xFF"
                    "b\n";
  EXPECT_EQ(shown(line, true), "\x1b[31me\\u001b[5mrror\xEF\xBF\xBD\x1b[0m \\u001b[2J \x1b[1m\n\x1b[0m");
  EXPECT_EQ(shown(line, false), "e\\u001b[5mrror\xEF\xBF\xBD \\u001b[2J \n");
  EXPECT_EQ(shown("\xFF", true), "\xEF\xBF\xBD");
}

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close_reader();
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_reader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  [[nodiscard]] int writer() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST(CtlOutput, a_reader_that_has_gone_is_no_error_and_nothing_more_is_written) {
  signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  Output out(pipe.writer());
  out.write("a\n");
  EXPECT_TRUE(out.usable());
  EXPECT_EQ(out.watched_fd(), pipe.writer());
  pipe.close_reader();
  out.write("b\n");
  EXPECT_FALSE(out.usable());
  EXPECT_FALSE(out.error());
  EXPECT_EQ(out.watched_fd(), -1) << "it would be ready for ever";
}

TEST(CtlOutput, a_full_disk_is_an_error) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Output out(full);
  out.write("a\n");
  EXPECT_FALSE(out.usable());
  EXPECT_EQ(out.error(), ENOSPC);
  ::close(full);
}

}  // namespace
}  // namespace pipekit::ctl
