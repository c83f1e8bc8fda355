// The widths that tables count with, against those of a terminal: tmux, asked where its cursor is.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "ctl/width.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

const std::vector<std::string> kTexts = {"plain",
                                         "✅ orders",
                                         "⭐kunden",
                                         "🟢a",
                                         "🫠b",
                                         "ครั้งที่",
                                         "हिन्दी",
                                         "日本語",
                                         "Größe",
                                         "e\u0301",
                                         "한국어",
                                         "ﾊﾝｶｸ",
                                         "👨‍👩‍👧",
                                         "🇩🇪x",
                                         "❤️",
                                         "⚠️ x",
                                         "👍🏽",
                                         "עברית",
                                         "العربية",
                                         "ไทย",
                                         "தமிழ்",
                                         "a\u00ADb",
                                         "✔✗○▶…",
                                         "㈱",
                                         "１２３",
                                         "𠀀",
                                         "🏳️‍🌈 x"};

TEST(CtlWidth, is_that_of_a_terminal) {
  const test::TempDir dir;
  const auto socket = dir.file("tmux.sock");
  // The answer to "where is the cursor" comes after all that was printed before the question.
  std::ofstream script(dir.file("measure.sh"));
  script << "stty -echo\n";
  for (const auto& text : kTexts) {
    script << "printf '\\033[H\\033[2J%s\\033[6n' '" << text << "'; IFS=';' read -r -d R _ column; echo $column >> '"
           << dir.file("columns") << "'\n";
  }
  script << "tmux -S '" << socket << "' wait-for -S measured; read -r\n";
  script.close();
  const test::ProgramOptions options = {{"LC_ALL=C.UTF-8", "TMUX"}, "", {}};
  const auto tmux = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"-u", "-S", socket, "-f", "/dev/null"});
    return test::run_program("/usr/bin/tmux", words, options);
  };
  const auto started = tmux({"new-session", "-d", "-x", "80", "-y", "24", "bash '" + dir.file("measure.sh") + "'"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  EXPECT_EQ(tmux({"wait-for", "measured"}).exit_code, 0);
  tmux({"kill-server"});
  std::ifstream columns(dir.file("columns"));
  for (const auto& text : kTexts) {
    size_t column = 0;
    ASSERT_TRUE(columns >> column) << text;
    EXPECT_EQ(ctl::display_width(text), column - 1) << text;
  }
}

}  // namespace
}  // namespace pipekit
