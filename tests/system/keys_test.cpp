// Two parties that know each other only by their keys, as on two hosts: the README's commands, and everybody who must
// be refused.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fstream>

#include "shared/protocol.h"
#include "shared/unique_fd.h"
#include "tests/support/free_port.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;

using Words = std::vector<std::string>;

std::string line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Keys : public ::testing::Test {
 protected:
  Keys() {
    broker_key_ = new_key("broker");
    start_broker();
  }

  ProgramResult ctl(Words args) { return run_program(program_path("pipekit-ctl"), std::move(args)); }
  // On the broker's host, through its socket.
  ProgramResult local(Words args) {
    args.insert(args.begin(), {"--data-dir", dir_.file("data")});
    return ctl(std::move(args));
  }
  // On another host, with a key; "" for none.
  ProgramResult remote(const std::string& key, Words args) {
    args.insert(args.begin(), {"--broker", control_, "--timeout", "5"});
    if (!key.empty()) args.insert(args.begin(), {"--key-file", file(key), "--broker-key", broker_key_});
    return ctl(std::move(args));
  }

  std::string file(const std::string& name) { return dir_.file(name + ".key"); }
  std::string new_key(const std::string& name) {
    const auto made = ctl({"keys", "new", file(name), "-q"});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return line(made.out);
  }
  void allow(const std::string& name, const std::string& role) {
    const auto allowed = local({"keys", "allow", name, "--role", role, "--public-key", new_key(name)});
    EXPECT_EQ(allowed.exit_code, 0) << allowed.err;
  }

  void start_broker() {
    broker_ = std::make_unique<RunningProgram>(
        program_path("pipekit-broker"),
        Words{"--data-dir", dir_.file("data"), "--worker-endpoint", workers_, "--control-endpoint", control_,
              "--key-file", file("broker"), "--lease", "2"});
    broker_->wait_for_err("serves");
  }

  std::unique_ptr<RunningProgram> worker(const std::string& key) {
    Words args = {"--name", "w-" + key, "--broker", workers_, "--state-dir", dir_.file("state-" + key)};
    if (!key.empty()) args.insert(args.end(), {"--key-file", file(key), "--broker-key", broker_key_});
    return std::make_unique<RunningProgram>(program_path("pipekit-worker"), std::move(args));
  }

  TempDir dir_;
  std::string workers_ = "tcp://127.0.0.1:" + std::to_string(free_port());
  std::string control_ = "tcp://127.0.0.1:" + std::to_string(free_port());
  std::string broker_key_;
  std::unique_ptr<RunningProgram> broker_;
};

TEST_F(Keys, a_worker_is_let_in_by_its_key_and_cut_off_when_it_is_revoked) {
  allow("plant2", "worker");
  auto plant2 = worker("plant2");
  plant2->wait_for_err("welcomed by the broker");
  EXPECT_THAT(local({"workers", "list"}).out, HasSubstr("w-plant2"));
  EXPECT_EQ(local({"keys", "revoke", "plant2"}).exit_code, 0);
  const auto ended = plant2->wait();
  EXPECT_EQ(ended.exit_code, 6);
  EXPECT_THAT(ended.err, HasSubstr("does not allow this key"));
  EXPECT_EQ(worker("plant2")->wait().exit_code, 6) << "and it does not come in again";
}

TEST_F(Keys, who_has_no_key_a_strange_one_or_one_of_another_role_is_refused_and_says_so) {
  allow("viewer", "viewer");
  new_key("stranger");
  for (const auto* key : {"", "stranger", "viewer"}) {
    const auto ended = worker(key)->wait();
    EXPECT_EQ(ended.exit_code, 6) << key;
    EXPECT_THAT(ended.err, HasSubstr("error: ")) << key;
    EXPECT_THAT(ended.err, HasSubstr("hint: ")) << key;
  }
  EXPECT_EQ(local({"workers", "list", "-q"}).out.find("w-"), std::string::npos);
}

TEST_F(Keys, an_operator_elsewhere_works_a_viewer_looks_and_a_stranger_is_refused) {
  allow("operator", "operator");
  allow("viewer", "viewer");
  new_key("stranger");
  EXPECT_EQ(remote("operator", {"settings", "set", "claim_limit_s", "9"}).exit_code, 0);
  EXPECT_EQ(remote("viewer", {"settings", "get", "claim_limit_s"}).exit_code, 0);
  EXPECT_EQ(remote("viewer", {"events", "tail", "--no-follow"}).exit_code, 0);
  const auto barred = remote("viewer", {"settings", "set", "claim_limit_s", "8"});
  EXPECT_EQ(barred.exit_code, 6);
  EXPECT_THAT(barred.err, HasSubstr("the key viewer has the role viewer"));
  for (const auto* key : {"", "stranger"}) {
    const auto refused = remote(key, {"status"});
    EXPECT_EQ(refused.exit_code, 6) << key << refused.err;
    EXPECT_EQ(remote(key, {"events", "tail", "--no-follow"}).exit_code, 6) << key;
  }
  EXPECT_EQ(Json::parse(local({"status", "-o", "json"}).out)["broker"]["refused"].get<int64_t>() > 0, true);
  EXPECT_EQ(local({"keys", "revoke", "operator"}).exit_code, 0);
  EXPECT_EQ(remote("operator", {"status"}).exit_code, 6);
  EXPECT_THAT(local({"audit", "list"}).out, ::testing::AllOf(HasSubstr("operator"), HasSubstr("settings.set")));
}

TEST_F(Keys, who_is_allowed_is_never_counted_as_refused) {
  allow("viewer", "viewer");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(remote("viewer", {"runs", "list"}).exit_code, 0);
  EXPECT_EQ(Json::parse(local({"status", "-o", "json"}).out)["broker"]["refused"], 0);
}

TEST_F(Keys, a_client_with_a_wrong_broker_key_does_not_knock_without_a_pause) {
  allow("viewer", "viewer");
  const auto wrong = ctl({"--broker", control_, "--timeout", "1", "--key-file", file("viewer"), "--broker-key",
                          new_key("another"), "runs", "list"});
  EXPECT_EQ(wrong.exit_code, 5);
  EXPECT_THAT(wrong.err, HasSubstr("closed the connection during the handshake"));
  EXPECT_LT(Json::parse(local({"status", "-o", "json"}).out)["broker"]["refused"].get<int64_t>(), 40);
}

TEST_F(Keys, those_on_the_same_host_need_none) {
  RunningProgram neighbour(program_path("pipekit-worker"), {"--name", "neighbour", "--data-dir", dir_.file("data")});
  neighbour.wait_for_err("welcomed by the broker");
  EXPECT_THAT(local({"workers", "list"}).out, HasSubstr("neighbour"));
}

TEST_F(Keys, random_bytes_hurt_nobody) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(workers_.substr(workers_.rfind(':') + 1))));
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::string noise(4096, '\0');
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * 131 + 7);
  EXPECT_GT(::send(fd.get(), noise.data(), noise.size(), MSG_NOSIGNAL), 0);
  allow("plant2", "worker");
  worker("plant2")->wait_for_err("welcomed by the broker");
}

TEST_F(Keys, files_that_others_can_read_are_refused) {
  allow("plant2", "worker");
  ::chmod(file("plant2").c_str(), 0644);
  const auto ended = worker("plant2")->wait();
  EXPECT_EQ(ended.exit_code, 6);
  EXPECT_THAT(ended.err, HasSubstr("chmod 0600"));
}

class StrangeBroker : public ::testing::Test {
 protected:
  ProgramResult broker(Words args) {
    args.insert(args.begin(), {"--data-dir", dir_.file("data")});
    return run_program(program_path("pipekit-broker"), std::move(args));
  }
  TempDir dir_;
};

TEST_F(StrangeBroker, without_a_key_binds_nothing_that_others_can_reach) {
  const auto ended = broker({"--worker-endpoint", "tcp://0.0.0.0:7602"});
  EXPECT_EQ(ended.exit_code, 6);
  EXPECT_THAT(ended.err, HasSubstr("pipekit-ctl keys new FILE, then --key-file FILE"));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("data")));
}

TEST_F(StrangeBroker, with_state_that_others_can_change_or_read_does_not_start) {
  std::filesystem::create_directory(dir_.file("data"));
  ::chmod(dir_.file("data").c_str(), 0777);
  const auto open_directory = broker({});
  EXPECT_EQ(open_directory.exit_code, 6);
  EXPECT_THAT(open_directory.err, HasSubstr("chmod 0755"));
  ::chmod(dir_.file("data").c_str(), 0755);
  const std::ofstream store(dir_.file("data") + "/pipekit.db");
  ::chmod((dir_.file("data") + "/pipekit.db").c_str(), 0644);
  const auto open_store = broker({});
  EXPECT_EQ(open_store.exit_code, 6);
  EXPECT_THAT(open_store.err, HasSubstr("chmod 0600"));
}

TEST_F(StrangeBroker, its_sockets_are_a_groups_where_one_is_named) {
  if (::getgrnam("daemon") == nullptr || ::geteuid() != 0) GTEST_SKIP() << "needs root and the group daemon";
  RunningProgram running(program_path("pipekit-broker"),
                         {"--data-dir", dir_.file("data"), "--control-group", "daemon"});
  running.wait_for_err("serves");
  struct stat control {};
  ASSERT_EQ(::stat((dir_.file("data") + "/control.sock").c_str(), &control), 0);
  EXPECT_EQ(control.st_gid, ::getgrnam("daemon")->gr_gid);
  EXPECT_EQ(control.st_mode & 0777U, 0660U);
  struct stat workers {};
  ASSERT_EQ(::stat((dir_.file("data") + "/worker.sock").c_str(), &workers), 0);
  EXPECT_EQ(workers.st_mode & 077U, 0U);
}

TEST_F(StrangeBroker, whose_group_does_not_exist_does_not_start) {
  const auto ended = broker({"--worker-group", "no-such-group"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("there is no group \"no-such-group\""));
}

TEST_F(StrangeBroker, its_sockets_are_its_owners_alone) {
  RunningProgram running(program_path("pipekit-broker"), {"--data-dir", dir_.file("data")});
  running.wait_for_err("serves");
  for (const auto* name : {"control.sock", "worker.sock", "pipekit.db"}) {
    struct stat found {};
    ASSERT_EQ(::stat((dir_.file("data") + "/" + name).c_str(), &found), 0) << name;
    EXPECT_EQ(found.st_mode & 077U, 0U) << name;
  }
}

}  // namespace
}  // namespace pipekit::test
