#include "worker/state_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace pipekit::worker {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class StateDirTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "pipekit-state-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    dir_ = root_ / "worker" / "state";
  }
  void TearDown() override { fs::remove_all(root_); }

  // Another process that holds the lock, until it is killed.
  [[nodiscard]] pid_t start_holder() const {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) throw std::runtime_error("pipe");
    const pid_t holder = ::fork();
    if (holder == 0) {
      const auto state = StateDir::open(dir_, 0ms);
      static_cast<void>(!::write(ready[1], state ? "y" : "n", 1));
      ::pause();
      ::_exit(0);
    }
    char answer = 0;
    EXPECT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    for (const int fd : ready) ::close(fd);
    return holder;
  }

  static void end(pid_t holder) {
    ::kill(holder, SIGKILL);
    ::waitpid(holder, nullptr, 0);
  }

  static unsigned mode(const fs::path& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 07777;
  }

  fs::path root_;
  fs::path dir_;
};

TEST_F(StateDirTest, is_created_for_its_owner_alone) {
  const auto state = StateDir::open(dir_, 0ms);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_EQ(mode(dir_), 0700U);
  EXPECT_EQ(mode(dir_.parent_path()), 0700U);
  EXPECT_EQ(mode(state->scratch()), 0700U);
  EXPECT_EQ(mode(dir_ / "lock"), 0600U);
  EXPECT_EQ(mode(dir_ / "id"), 0600U);
}

TEST_F(StateDirTest, keeps_its_id_and_empties_its_scratch) {
  std::string id;
  {
    const auto first = StateDir::open(dir_, 0ms);
    ASSERT_TRUE(first);
    id = first->id();
    EXPECT_THAT(id, ::testing::MatchesRegex("[0-9a-f]{16}-[0-9a-f]+"));
    fs::create_directories(first->scratch() / "run-7");
    std::ofstream(first->scratch() / "run-7" / "query.sql") << "SELECT 1";
  }
  const auto second = StateDir::open(dir_, 0ms);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->id(), id);
  EXPECT_TRUE(fs::is_empty(second->scratch()));
}

TEST_F(StateDirTest, two_directories_have_two_ids) {
  const auto one = StateDir::open(root_ / "one", 0ms);
  const auto two = StateDir::open(root_ / "two", 0ms);
  EXPECT_NE(one->id(), two->id());
}

TEST_F(StateDirTest, a_copy_has_another_id) {
  const auto one = StateDir::open(root_ / "one", 0ms);
  fs::copy(root_ / "one", root_ / "copy", fs::copy_options::recursive);
  const auto copy = StateDir::open(root_ / "copy", 0ms);
  ASSERT_TRUE(one && copy);
  EXPECT_NE(one->id(), copy->id());
}

TEST_F(StateDirTest, a_broken_id_is_refused_by_name) {
  ASSERT_TRUE(StateDir::open(dir_, 0ms));
  for (const std::string text : {"", "123\n", "zzzzzzzzzzzzzzzz\n", "0123456789abcdef0\n"}) {
    std::ofstream(dir_ / "id", std::ios::trunc) << text;
    const auto state = StateDir::open(dir_, 0ms);
    ASSERT_FALSE(state) << text;
    EXPECT_EQ(state.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(state.error().message, ::testing::HasSubstr((dir_ / "id").string()));
  }
}

TEST_F(StateDirTest, a_directory_open_to_others_is_refused_with_the_command_that_repairs_it) {
  fs::create_directories(dir_);
  ::chmod(dir_.c_str(), 0750);
  const auto state = StateDir::open(dir_, 0ms);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::kRefused);
  EXPECT_THAT(state.error().message, ::testing::HasSubstr("mode 0750"));
  EXPECT_EQ(state.error().hint, "chmod 700 " + dir_.string());
}

TEST_F(StateDirTest, a_path_that_is_no_directory_is_an_error_that_names_it) {
  std::ofstream(root_ / "file") << "x";
  for (const auto& path : {root_ / "file", root_ / "file" / "state"}) {
    const auto state = StateDir::open(path, 0ms);
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(state.error().message, ::testing::HasSubstr((root_ / "file").string()));
  }
}

TEST_F(StateDirTest, a_lock_in_use_ends_in_an_error_that_names_the_holder) {
  const auto holder = start_holder();
  const auto state = StateDir::open(dir_, 1ms);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(state.error().message,
            "state directory " + dir_.string() + " is in use by worker pid " + std::to_string(holder));
  end(holder);
}

TEST_F(StateDirTest, waits_for_the_holder_to_end_and_says_so) {
  const auto holder = start_holder();
  std::string told;
  const auto state = StateDir::open(dir_, 60s, [&](const std::string& text) {
    told += text;
    ::kill(holder, SIGKILL);
  });
  EXPECT_TRUE(state);
  EXPECT_EQ(told,
            "state directory " + dir_.string() + " is in use by worker pid " + std::to_string(holder) + "; waiting");
  end(holder);
}

TEST_F(StateDirTest, a_lock_file_removed_meanwhile_protects_nothing_and_is_refused) {
  const auto holder = start_holder();
  const auto state = StateDir::open(dir_, 60s, [&](const std::string&) {
    fs::remove(dir_ / "lock");
    ::kill(holder, SIGKILL);
  });
  ASSERT_FALSE(state);
  EXPECT_THAT(state.error().message, ::testing::HasSubstr("was removed"));
  end(holder);
}

TEST_F(StateDirTest, that_is_not_what_was_opened_or_cannot_be_written_is_noticed) {
  const auto message_after = [this](const auto& change) {
    fs::remove_all(dir_);
    const auto state = StateDir::open(dir_, 0ms);
    EXPECT_TRUE(state && state->check());
    EXPECT_TRUE(fs::is_empty(state->scratch()));
    change();
    const auto checked = state->check();
    return checked ? std::string("fit") : checked.error().message;
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(message_after([&] { fs::remove_all(dir_); }), HasSubstr("was removed or replaced"));
  EXPECT_THAT(message_after([&] {
                fs::rename(dir_ / "lock", dir_ / "old");
                std::ofstream(dir_ / "lock").flush();
              }),
              HasSubstr("was removed or replaced"));
  EXPECT_THAT(message_after([&] { fs::remove_all(dir_ / "scratch"); }), HasSubstr("cannot write " + dir_.string()));
}

TEST_F(StateDirTest, the_lock_ends_with_the_object) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(StateDir::open(dir_, 0ms));
}

}  // namespace
}  // namespace pipekit::worker
