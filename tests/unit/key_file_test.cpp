#include "shared/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/client_keys.h"
#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

using testing::HasSubstr;

class KeyFile : public testing::Test {
 protected:
  std::string wrong(const std::string& content) {
    const auto file = dir_.write("wrong.key", content);
    ::chmod(file.c_str(), 0600);
    const auto read = read_key_file(file);
    return read ? "accepted" : std::string(to_string(read.error().code)) + ": " + read.error().message;
  }

  test::TempDir dir_;
  std::string file_ = dir_.file("a.key");
};

TEST_F(KeyFile, holds_a_pair_that_only_its_owner_can_read) {
  const auto pair = new_key_pair();
  EXPECT_TRUE(is_key(pair.public_key));
  EXPECT_NE(pair.public_key, new_key_pair().public_key);
  ASSERT_TRUE(write_key_file(file_, pair));
  struct stat found {};
  ASSERT_EQ(::stat(file_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0600U);
  const auto read = read_key_file(file_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->public_key, pair.public_key);
  EXPECT_EQ(read->secret_key, pair.secret_key);
}

TEST_F(KeyFile, is_never_overwritten) {
  const auto pair = new_key_pair();
  ASSERT_TRUE(write_key_file(file_, pair));
  EXPECT_EQ(write_key_file(file_, new_key_pair()).error().code, ErrorCode::kExists);
  EXPECT_EQ(read_key_file(file_)->public_key, pair.public_key);
}

TEST_F(KeyFile, that_others_can_read_is_refused) {
  ASSERT_TRUE(write_key_file(file_, new_key_pair()));
  for (const mode_t mode : {0640U, 0604U, 0660U, 0601U}) {
    ASSERT_EQ(::chmod(file_.c_str(), mode), 0);
    const auto read = read_key_file(file_);
    ASSERT_FALSE(read) << mode;
    EXPECT_EQ(exit_code(read.error().code), 6);
    EXPECT_THAT(read.error().hint, HasSubstr("chmod 0600 " + file_));
  }
}

TEST_F(KeyFile, that_is_something_else_is_named) {
  EXPECT_EQ(read_key_file(dir_.file("none")).error().code, ErrorCode::kUsage);
  EXPECT_THAT(wrong(""), HasSubstr("not a key file"));
  EXPECT_THAT(wrong("public_key: short\nsecret_key: short\n"), HasSubstr("not a key file"));
  EXPECT_THAT(wrong("secret: x\n"), HasSubstr("secret"));
}

TEST_F(KeyFile, is_needed_for_tcp_loopback_included) {
  ASSERT_TRUE(write_key_file(file_, new_key_pair()));
  const auto broker = new_key_pair().public_key;
  const auto code = [](const auto& result) { return result ? 0 : exit_code(result.error().code); };
  EXPECT_EQ(code(client_keys("tcp://127.0.0.1:1", {})), 6);
  EXPECT_EQ(code(client_keys("tcp://localhost:1", {})), 6);
  EXPECT_FALSE(*client_keys("ipc://" + dir_.file("x"), {file_, broker}));
  EXPECT_EQ(code(client_keys("tcp://10.0.0.1:1", {})), 6);
  EXPECT_EQ(code(client_keys("tcp://10.0.0.1:1", {file_, ""})), 2);
  EXPECT_EQ(code(client_keys("tcp://10.0.0.1:1", {"", broker})), 2);
  const auto keys = client_keys("tcp://127.0.0.1:1", {file_, broker});
  ASSERT_TRUE(keys && *keys);
  EXPECT_EQ((*keys)->broker, broker);
}

TEST_F(KeyFile, of_somebody_else_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_TRUE(write_key_file(file_, new_key_pair()));
  ASSERT_EQ(::chown(file_.c_str(), 65534, 65534), 0);
  const auto read = read_key_file(file_);
  ASSERT_FALSE(read);
  EXPECT_EQ(exit_code(read.error().code), 6);
}

TEST_F(KeyFile, behind_a_link_of_somebody_else_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_TRUE(write_key_file(file_, new_key_pair()));
  const auto link = dir_.file("link.key");
  ASSERT_EQ(::symlink(file_.c_str(), link.c_str()), 0);
  EXPECT_TRUE(read_key_file(link)) << "its owner's own";
  ASSERT_EQ(::lchown(link.c_str(), 65534, 65534), 0);
  EXPECT_FALSE(read_key_file(link));
}

// The attack: whoever binds the socket first acts as the broker.
TEST_F(KeyFile, and_a_socket_need_a_directory_that_only_the_broker_writes_to) {
  const auto code = [](const auto& result) { return result ? 0 : exit_code(result.error().code); };
  const auto dir = dir_.file("run");
  const auto endpoint = "ipc://" + dir + "/control.sock";
  ASSERT_EQ(::mkdir(dir.c_str(), 0755), 0);
  EXPECT_EQ(code(client_keys(endpoint, {})), 0);
  for (const mode_t mode : {0777U, 01777U, 0775U}) {
    ASSERT_EQ(::chmod(dir.c_str(), mode), 0);
    EXPECT_EQ(code(client_keys(endpoint, {})), 6) << mode;
  }
  EXPECT_EQ(code(client_keys("ipc:///tmp/pipekit-none/control.sock", {})), 6) << "anybody could create it";
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chmod(dir.c_str(), 0755), 0);
  ASSERT_EQ(::chown(dir.c_str(), 65534, 65534), 0);
  EXPECT_EQ(code(client_keys(endpoint, {})), 6);
  EXPECT_EQ(code(client_keys(endpoint, {"", "", "nobody"})), 0) << "that is the broker's user";
  EXPECT_EQ(code(client_keys(endpoint, {"", "", "", true})), 0) << "root's client names whose socket it wants";
}

}  // namespace
}  // namespace pipekit
