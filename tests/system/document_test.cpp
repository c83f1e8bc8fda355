// The commands that the documents show print what the documents show. Each document is executed from its beginning on a
// separate system; "/tmp/" in it is a directory of the test.
#include "tests/system/document.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/local_system.h"

namespace pipekit::test {
namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// What the terminal shows at the end, without lines that were overwritten.
std::string on_screen(const std::string& text) {
  std::string screen;
  std::string line;
  for (std::istringstream lines(text); std::getline(lines, line);) {
    while (line.ends_with('\r')) line.pop_back();
    const auto over = line.rfind("\x1b[K");
    screen += (over == std::string::npos ? line : line.substr(over + 3)) + "\n";
  }
  return screen;
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

class Document : public ::testing::TestWithParam<const char*> {
 protected:
  Document() {
    std::filesystem::create_directory(place());
    WorkerOptions options;
    options.env = {"WH_PASSWORD=secret"};
    system_.start_worker("local-1", options);
  }

  std::string place() const { return system_.file("tmp"); }
  std::string here(const std::string& text) const { return replaced(text, "/tmp/", place() + "/"); }

  void follow(const DocumentFile& file) const {
    std::ofstream(std::filesystem::path(place()) / here(file.name)) << here(file.content);
  }

  void follow(const DocumentCommand& step) const {
    ProgramOptions options;
    options.directory = place();
    options.env = {"PATH=" PIPEKIT_BIN_DIR ":/usr/bin:/bin", "PIPEKIT_DATA_DIR=" + system_.data_dir(), "NO_COLOR=1",
                   "SHELL=/bin/bash", "COMMAND=" + here(step.command)};
    const auto result =
        run_program("/usr/bin/script", {"-qec", "stty cols 80; eval \"$COMMAND\"", "/dev/null"}, options);
    const auto out = replaced(replaced(on_screen(result.out), place() + "/", "/tmp/"), host_name(), "vm");
    EXPECT_EQ(result.exit_code, step.exit_code) << GetParam() << ":" << step.line << ": " << step.command << "\n"
                                                << out;
    const auto shown = comparable_lines(joined(step.output));
    const auto printed = comparable_lines(out);
    EXPECT_TRUE(is_as_shown(shown, printed)) << GetParam() << ":" << step.line << ": " << step.command << "\nshown:\n"
                                             << joined(shown) << "printed:\n"
                                             << out;
  }

  LocalSystem system_;
};

TEST_P(Document, ShowsWhatItsCommandsPrint) {
  const auto steps = read_document(read_file(std::string(PIPEKIT_SOURCE_DIR "/") + GetParam()));
  int commands = 0;
  for (const auto& step : steps) {
    std::visit([&](const auto& s) { follow(s); }, step);
    commands += std::holds_alternative<DocumentCommand>(step) ? 1 : 0;
  }
  EXPECT_GT(commands, 5);
}

INSTANTIATE_TEST_SUITE_P(All, Document, ::testing::Values("README.md", "docs/OPERATING.md"), [](const auto& document) {
  std::string name = document.param;
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

TEST(DocumentText, is_compared_without_times_and_widths) {
  EXPECT_EQ(
      comparable_lines("✔ orders   3 rows   556ms \n\n2026-01-02 05:22:48 CET  x 2026-01-02T03:04:05Z\n1m 5s ago"),
      (std::vector<std::string>{"✔ orders  3 rows  SPAN", "TIME  x TIME", "AGO"}));
}

TEST(DocumentText, ellipsis_stands_for_any_lines) {
  EXPECT_TRUE(is_as_shown({"a", "…", "d"}, {"a", "b", "c", "d"}));
  EXPECT_TRUE(is_as_shown({"…"}, {}));
  EXPECT_FALSE(is_as_shown({"a", "…", "d"}, {"a", "b"}));
  EXPECT_FALSE(is_as_shown({"a"}, {"a", "b"}));
  EXPECT_FALSE(is_as_shown({}, {"a"}));
}

}  // namespace
}  // namespace pipekit::test
