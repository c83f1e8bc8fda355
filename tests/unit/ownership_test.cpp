#include "shared/ownership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/path.h"
#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

class Ownership : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  }
  std::string file(const std::string& name, mode_t mode) {
    auto path = dir_.write(name, "");
    ::chmod(path.c_str(), mode);
    return path;
  }
  std::string directory(const std::string& name, mode_t mode) {
    auto path = dir_.file(name);
    ::mkdir(path.c_str(), 0700);
    ::chmod(path.c_str(), mode);
    return path;
  }
  static int code(const Result<void>& result) { return result ? 0 : exit_code(result.error().code); }

  test::TempDir dir_;
};

TEST_F(Ownership, of_a_private_file_is_this_user_or_root) {
  EXPECT_EQ(code(check_private_file(dir_.file("absent"))), 0);
  const auto store = file("store", 0600);
  EXPECT_EQ(code(check_private_file(store)), 0);
  ::chmod(store.c_str(), 0640);
  EXPECT_EQ(code(check_private_file(store)), 6);
  ::chmod(store.c_str(), 0600);
  EXPECT_EQ(::chown(store.c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(code(check_private_file(store)), 6);
}

TEST_F(Ownership, of_what_a_link_leads_to_does_not_make_the_link_a_file) {
  const auto link = dir_.file("link");
  ASSERT_EQ(::symlink(file("store", 0600).c_str(), link.c_str()), 0);
  EXPECT_EQ(code(check_private_file(link)), 6);
}

TEST_F(Ownership, of_a_link_on_the_way_decides_too) {
  const auto target = directory("target", 0700);
  const auto link = dir_.file("data");
  ASSERT_EQ(::symlink(target.c_str(), link.c_str()), 0);
  EXPECT_EQ(code(check_own_dir(link, 0)), 0);
  ASSERT_EQ(::lchown(link.c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(code(check_own_dir(link, 0)), 6);
  EXPECT_EQ(code(check_socket_dir(link + "/control.sock", "", false)), 6);
}

TEST_F(Ownership, of_a_directory_is_worth_nothing_where_everybody_can_replace_it) {
  const auto open = directory("open", 0777);
  const auto data = directory("open/data", 0700);
  EXPECT_EQ(code(check_own_dir(data, 0)), 6);
  EXPECT_EQ(code(check_socket_dir(data + "/control.sock", "", false)), 6);
  ::chmod(open.c_str(), 01777);  // as /tmp
  EXPECT_EQ(code(check_own_dir(data, 0)), 0);
}

TEST_F(Ownership, of_a_directory_that_others_may_write_to_is_told_with_the_command_that_ends_it) {
  const auto data = directory("data", 0777);
  const auto refused = check_own_dir(data, S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().hint, HasSubstr("chmod 0755 " + data));
}

TEST(FullPath, keeps_links_and_resolves_parent_steps_of_flags) {
  const test::TempDir dir;
  ::mkdir(dir.file("real").c_str(), 0700);
  ASSERT_EQ(::symlink(dir.file("real").c_str(), dir.file("link").c_str()), 0);
  EXPECT_EQ(*full_path({dir.file("link"), Origin::flag, "--data-dir"}), dir.file("link"));
  EXPECT_EQ(*full_path({dir.file("real/../other"), Origin::flag, "--data-dir"}), dir.file("other"));
  EXPECT_FALSE(full_path({dir.file("real/../other"), Origin::file, "x.yaml: data_dir"}));
  EXPECT_FALSE(full_path({"~", Origin::flag, "--data-dir"}));
  EXPECT_FALSE(full_path({"~ann/x", Origin::variable, "PIPEKIT_DATA_DIR"}));
  EXPECT_EQ(*full_path({"", Origin::file, "x.yaml: key_file"}), "");
}

}  // namespace
}  // namespace pipekit
