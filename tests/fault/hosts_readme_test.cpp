// Two hosts that are set up with the README's commands and nothing else, and everybody who must be refused there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <map>
#include <sstream>

#include "shared/protocol.h"
#include "tests/fault/scenario.h"
#include "tests/support/network_namespace.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kBrokerPrompt = "    broker-host$ ";
constexpr auto kWorkerPrompt = "    worker-host$ ";

struct Typed {
  bool at_broker;
  std::string command;
};

// The commands after host names in the README, in order.
std::vector<Typed> typed_in_readme() {
  std::vector<Typed> all;
  std::istringstream lines(read_file(PIPEKIT_SOURCE_DIR "/README.md"));
  for (std::string line; std::getline(lines, line);) {
    const bool at_broker = line.starts_with(kBrokerPrompt);
    const std::string_view prompt = at_broker ? kBrokerPrompt : kWorkerPrompt;
    if (!line.starts_with(prompt)) continue;
    auto command = line.substr(prompt.size());
    while (command.ends_with('\\') && std::getline(lines, line)) command += "\n" + line;
    all.push_back({at_broker, command});
  }
  return all;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

class TwoHosts : public ::testing::Test {
 protected:
  struct Host {
    explicit Host(std::string prefix) : name(std::move(prefix)) {}
    std::string name;
    TempDir home;
    NetworkNamespace net;
  };

  void SetUp() override {
    if (const auto why = NetworkNamespace::missing(); !why.empty()) GTEST_SKIP() << why;
    broker_host_ = std::make_unique<Host>("broker-host");
    worker_host_ = std::make_unique<Host>("worker-host");
    cable_ = std::make_unique<VirtualCable>(broker_host_->net, worker_host_->net);
    typed_ = typed_in_readme();
    ASSERT_EQ(typed_.size(), 6U) << "five that make them acquainted, and one of a person";
    set_up_broker();
  }

  // The first two commands; the broker also has the second socket that the README mentions.
  void set_up_broker() {
    new_key(typed_[0]);
    broker_ = start(typed_[1], " --control-endpoint tcp://0.0.0.0:7601");
    broker_->wait_for_err(" serves ");
  }
  // The next three commands; returns the connected worker.
  std::unique_ptr<RunningProgram> set_up_worker() {
    new_key(typed_[2]);
    expect_done(type(typed_[3]));
    auto worker = start(typed_[4]);
    worker->wait_for_err("welcomed by the broker");
    return worker;
  }

  // With the placeholders replaced, as a person would do.
  std::string filled_in(std::string command) {
    for (const auto& [file, key] : public_keys_) command = replaced(command, "PUBLIC KEY OF " + file, key);
    return replaced(replaced(command, "/tmp/tour", tour()), "BROKER_HOST", cable_->left());
  }
  std::unique_ptr<RunningProgram> start(const Typed& typed, const std::string& more = "") {
    const auto& host = typed.at_broker ? *broker_host_ : *worker_host_;
    ProgramOptions options;
    options.within = host.net.enter();
    options.directory = host.home.path();
    options.env = {"PATH=" PIPEKIT_BIN_DIR ":/usr/bin:/bin", "HOME=" + host.home.path().string()};
    if (typed.at_broker) options.env.push_back("PIPEKIT_DATA_DIR=" + tour());
    const auto command = "exec " + filled_in(typed.command) + more;
    return std::make_unique<RunningProgram>("/bin/bash", std::vector<std::string>{"-c", command}, options);
  }
  ProgramResult type(const Typed& typed) { return start(typed)->wait(); }
  ProgramResult at_broker(const std::string& command) { return type({true, command}); }
  void new_key(const Typed& typed) {
    const auto made = type(typed);
    expect_done(made);
    const auto file = typed.command.substr(typed.command.rfind(' ') + 1);
    public_keys_[file] = first_line(made.out);
    EXPECT_EQ(public_keys_[file].size(), 40U) << made.out;
  }
  // Allows a key of a person or worker on the worker's host.
  void let_in(const std::string& name, const std::string& role) {
    new_key({false, fmt::format("pipekit-ctl keys new {}.key", name)});
    expect_done(at_broker(
        fmt::format("pipekit-ctl keys allow {0} --role {1} --public-key 'PUBLIC KEY OF {0}.key'", name, role)));
  }
  // The README's worker command with another key, or none, for another worker.
  Typed worker_with(const std::string& key) {
    auto command = replaced(typed_[4].command, "plant2.key", key);
    command = replaced(replaced(command, "--name plant2", "--name other"), "/.pipekit-plant2", "/.pipekit-other");
    if (key.empty()) {
      command = replaced(replaced(command, "--key-file", ""), "--broker-key 'PUBLIC KEY OF broker.key'", "");
    }
    return {false, command};
  }
  void expect_refused(const ProgramResult& ended) {
    EXPECT_EQ(ended.exit_code, 6) << ended.err;
    EXPECT_THAT(ended.err, AllOf(HasSubstr("error: "), HasSubstr("hint: ")));
  }
  static void expect_done(const ProgramResult& done) { EXPECT_EQ(done.exit_code, 0) << done.err; }
  int64_t refused() {
    return Json::parse(at_broker("pipekit-ctl status -o json").out)["broker"]["refused"].get<int64_t>();
  }
  [[nodiscard]] std::string tour() const { return broker_host_->home.file("tour"); }

  std::unique_ptr<Host> broker_host_;
  std::unique_ptr<Host> worker_host_;
  std::unique_ptr<VirtualCable> cable_;
  std::vector<Typed> typed_;
  std::map<std::string, std::string> public_keys_;
  std::unique_ptr<RunningProgram> broker_;
};

TEST_F(TwoHosts, AreSetUpByTheReadmesCommandsAndCarryARun) {
  const auto worker = set_up_worker();
  const auto db = worker_host_->home.file("orders.db");
  open_sqlite(db)->execute(
      "CREATE TABLE source (id integer); CREATE TABLE t (id integer);"
      "INSERT INTO source VALUES (1), (2)");
  const Json document = {{"connections",
                          {{{"name", "plant"},
                            {"driver", "sqlite"},
                            {"jdbc_url", "jdbc:sqlite:" + db},
                            {"required_tags", {"site:plant2"}}}}},
                         {"modules",
                          {{{"name", "orders"},
                            {"source_connection", "plant"},
                            {"dest_connection", "plant"},
                            {"dest_table", "t"},
                            {"source_query", "SELECT id FROM source"},
                            {"merge_strategy", "full"}}}}};
  broker_host_->home.write("orders.json", document.dump());
  expect_done(at_broker("pipekit-ctl apply -f orders.json"));
  const auto ran = at_broker("pipekit-ctl run orders --watch");
  EXPECT_EQ(ran.exit_code, 0) << ran.err << ran.out;
  EXPECT_EQ(open_sqlite(db)->rows("SELECT id FROM t"), (Rows{"1", "2"}));
  EXPECT_THAT(at_broker("pipekit-ctl workers list").out, HasSubstr("plant2"));
  let_in("ann", "viewer");
  EXPECT_THAT(type(typed_[5]).out, HasSubstr("orders")) << "who looks from elsewhere";
}

TEST_F(TwoHosts, WithARevokedKeyAreApart) {
  const auto worker = set_up_worker();
  expect_done(at_broker("pipekit-ctl keys revoke plant2"));
  expect_refused(worker->wait());
  expect_refused(type(typed_[4]));
  broker_->wait_for_err("a key that is not allowed");
  EXPECT_THAT(at_broker("pipekit-ctl audit list").out, HasSubstr("plant2"));
}

TEST_F(TwoHosts, WithoutAKeyOrWithAViewersAreApart) {
  const auto worker = set_up_worker();
  expect_refused(type(worker_with("")));
  let_in("ann", "viewer");
  expect_refused(type(worker_with("ann.key")));
  const auto before = refused();
  expect_refused(type({false, replaced(typed_[5].command, "ctl status", "ctl settings set claim_limit_s 9")}));
  EXPECT_GT(refused(), before);
  EXPECT_THAT(at_broker("pipekit-ctl workers list").out, HasSubstr("plant2"));
}

// Peers that use the protocol without encryption, and bytes that no program would send.
TEST_F(TwoHosts, TurnStrangersAwayAndTheLogSaysSo) {
  const auto worker = set_up_worker();
  std::string noise(20'000, '\0');
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * 131 + 7);
  using namespace std::string_literals;
  worker_host_->home.write("noise", noise);
  worker_host_->home.write("unencrypted", "\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL"s + std::string(48, '\0'));
  for (const auto* port : {"7601", "7602"}) {
    for (const auto* said : {"noise", "unencrypted"}) {
      const auto before = refused();
      // Runs until the broker closes the connection.
      type({false, fmt::format("bash -c 'exec 3<>/dev/tcp/BROKER_HOST/{}; cat {} >&3; cat <&3 >answer'", port, said)});
      EXPECT_GT(refused(), before) << said << " at " << port;
    }
  }
  broker_->wait_for_err("without a key, with a wrong one of this broker");
  EXPECT_THAT(at_broker("pipekit-ctl workers list").out, AllOf(HasSubstr("plant2"), HasSubstr("connected")));
}

}  // namespace
}  // namespace pipekit::test
