// What can happen to a worker on its host: its state directory is removed, the disk is full, few open files are
// allowed.
#include <sys/resource.h>

#include <filesystem>

#include "tests/support/small_disk.h"
#include "tests/system/site.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// Without it every run would fail there, one after another.
class StateDirectory : public ::testing::Test {
 protected:
  // The run is returned to the queue and executed by w2.
  void expect_left(const std::string& words) {
    const auto run = site_.system().client().run("good");
    const auto ended = site_.system().worker("w1").wait();
    EXPECT_EQ(ended.exit_code, 5);
    EXPECT_THAT(ended.err, AllOf(HasSubstr("error: "), HasSubstr(words)));
    site_.start_worker({}, "w2");
    const auto made = site_.system().finished(run);
    EXPECT_THAT(made, Ended("success"));
    EXPECT_EQ(made["worker"], "w2");
    site_.expect_free();
  }
  Site site_;
};

TEST_F(StateDirectory, that_vanished_ends_its_worker_and_the_run_goes_to_another) {
  site_.start_worker({.state_dir = site_.file("state")});
  fs::remove_all(site_.file("state"));
  expect_left("was removed or replaced");
}

TEST_F(StateDirectory, that_was_replaced_ends_its_worker) {
  site_.start_worker({.state_dir = site_.file("state")});
  fs::rename(site_.file("state"), site_.file("away"));
  fs::create_directories(site_.file("state") + "/scratch");
  site_.write("state/lock", "");
  expect_left("was removed or replaced");
}

TEST_F(StateDirectory, whose_disk_is_full_ends_its_worker) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  site_.start_worker({.state_dir = disk.path() / "state"});
  disk.fill();
  expect_left("No space left on device");
}

// For its lifetime, including programs that are started in the meantime.
class SoftLimit {
 public:
  explicit SoftLimit(rlim_t files) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit lower{files, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &lower);
  }
  ~SoftLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  SoftLimit(const SoftLimit&) = delete;
  SoftLimit& operator=(const SoftLimit&) = delete;
  [[nodiscard]] rlim_t hard() const { return before_.rlim_max; }

 private:
  rlimit before_{};
};

rlim_t soft_limit_of(pid_t pid) {
  rlimit files{};
  ::prlimit(pid, RLIMIT_NOFILE, nullptr, &files);
  return files.rlim_cur;
}

TEST(OpenFiles, are_as_many_as_the_system_allows_but_for_runners) {
  const SoftLimit low(300);
  Site site;
  site.start_worker(
      {.jrunner = stand_in_runner(site.system(), "[ \"$MIGRATION\" ] && echo limit $(ulimit -Sn); real")});
  EXPECT_EQ(soft_limit_of(site.system().broker().pid()), low.hard());
  EXPECT_EQ(soft_limit_of(site.system().worker("w1").pid()), low.hard());
  EXPECT_THAT(site.ctl({"run", "good", "--watch"}).out, HasSubstr("limit 300"));
}

}  // namespace
}  // namespace pipekit::test
