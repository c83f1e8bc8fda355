// The files that are installed with the programs: unit files, configuration, manual pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

const fs::path kSource = PIPEKIT_SOURCE_DIR;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// As installed, but with the programs where they were built, because systemd checks that they exist.
std::string unit_text(const std::string& name) {
  const auto text = text_of(kSource / "systemd" / (name + ".in"));
  return std::regex_replace(text, std::regex("@CMAKE_INSTALL_FULL_BINDIR@"), PIPEKIT_BIN_DIR);
}

class UnitFile : public testing::TestWithParam<const char*> {};

// systemd-analyze exits with 0 for unknown keys, and names them on stderr.
TEST_P(UnitFile, is_without_complaints) {
  if (!fs::exists("/usr/bin/systemd-analyze")) GTEST_SKIP() << "systemd is not installed";
  const TempDir dir;
  const auto file = dir.write(GetParam(), unit_text(GetParam()));
  const auto result = run_program("systemd-analyze", {"verify", "--man=no", "--recursive-errors=no", file});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.exit_code, 0);
}

TEST_P(UnitFile, a_key_that_systemd_does_not_know_is_noticed) {
  if (!fs::exists("/usr/bin/systemd-analyze")) GTEST_SKIP() << "systemd is not installed";
  const TempDir dir;
  const auto text = std::regex_replace(unit_text(GetParam()), std::regex("KillMode="), "KilMode=");
  const auto result =
      run_program("systemd-analyze", {"verify", "--man=no", "--recursive-errors=no", dir.write(GetParam(), text)});
  EXPECT_THAT(result.err, HasSubstr("KilMode"));
}

// script/test looks at the programs themselves.
TEST(Build, hardens_what_is_installed) {
  const auto text = text_of(kSource / "CMakeLists.txt");
  for (const auto* flag :
       {"-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-fcf-protection=full", "-pie", "-Wl,-z,relro,-z,now"}) {
    EXPECT_THAT(text, HasSubstr(flag));
  }
}

// 0 to 10, less is safer; what is left are the network, the local sockets and what the files say.
TEST_P(UnitFile, exposes_little) {
  if (!fs::exists("/usr/bin/systemd-analyze")) GTEST_SKIP() << "systemd is not installed";
  const TempDir dir;
  const auto file = dir.write(GetParam(), unit_text(GetParam()));
  const auto result =
      run_program("systemd-analyze", {"security", "--offline=true", "--no-pager", "--threshold=20", file});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST_P(UnitFile, is_not_restarted_where_that_cannot_help_and_leaves_no_core) {
  const auto text = unit_text(GetParam());
  EXPECT_THAT(text, HasSubstr("\nRestartPreventExitStatus=2 3 6\n"));
  EXPECT_THAT(text, HasSubstr("\nLimitCORE=0\n"));
}

TEST(Units, run_broker_and_worker_as_two_users_that_are_created) {
  const auto users = text_of(kSource / "systemd/pipekit.sysusers.conf");
  for (const std::string user : {"pipekit-broker", "pipekit-worker"}) {
    const auto unit = unit_text(user == "pipekit-broker" ? "pipekit-broker.service" : "pipekit-worker@.service");
    EXPECT_THAT(unit, HasSubstr("\nUser=" + user + "\n"));
    EXPECT_THAT(users, HasSubstr("\nu " + user + " "));
  }
  EXPECT_THAT(users, HasSubstr("\ng pipekit "));
  EXPECT_THAT(unit_text("pipekit-broker.service"), HasSubstr("\nRuntimeDirectory=pipekit\n"));
}

INSTANTIATE_TEST_SUITE_P(Installed, UnitFile, testing::Values("pipekit-broker.service", "pipekit-worker@.service"));

// The examples contain only keys that the programs know. An unusable endpoint ends the programs before they serve.
TEST(Configuration, the_brokers_example_is_read) {
  const auto file = (kSource / "config/broker.yaml").string();
  const auto result = run_program(program_path("pipekit-broker"), {"--config", file, "--worker-endpoint", "tcp://*:1"});
  EXPECT_EQ(result.exit_code, 6);
  EXPECT_THAT(result.err, HasSubstr("tcp://*:1 is a tcp address: without a key"));
}

TEST(Configuration, the_workers_example_is_read) {
  const auto file = (kSource / "config/worker.yaml").string();
  const auto result =
      run_program(program_path("pipekit-worker"), {"--config", file, "--jrunner", "/nowhere", "--name", "w"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("there is no runner /nowhere"));
}

// The manual page has exactly the flags of --help.
std::vector<std::string> flags_in(const std::string& text) {
  const std::regex flag("--[a-z][a-z-]+");
  std::vector<std::string> flags;
  for (std::sregex_iterator found(text.begin(), text.end(), flag), end; found != end; ++found) {
    flags.push_back(found->str());
  }
  std::ranges::sort(flags);
  flags.erase(std::unique(flags.begin(), flags.end()), flags.end());
  return flags;
}

class ManualPage : public testing::TestWithParam<const char*> {};

TEST_P(ManualPage, has_the_flags_of_the_program) {
  const std::string program = GetParam();
  auto page = text_of(kSource / "docs/man" / (program + ".1"));
  page = std::regex_replace(page, std::regex(R"(\\-)"), "-");
  const auto help = run_program(program_path(program), {"--help"});
  EXPECT_EQ(flags_in(page), flags_in(help.out));
}

INSTANTIATE_TEST_SUITE_P(Installed, ManualPage, testing::Values("pipekit-broker", "pipekit-worker"));

}  // namespace
}  // namespace pipekit::test
