// Hosts, files and peers that are not as they should be: each program says so and ends with its exit code, or goes on
// as if nothing had been.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include "shared/codec.h"
#include "tests/support/small_disk.h"
#include "tests/system/site.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

// A program that is not to start. "@NAME" in its arguments is a path in the test's directory.
struct BadStart {
  std::string name;
  std::string program;
  Words args;
  int exit_code = 2;
  Words says;
  std::function<void(const TempDir&)> arrange = [](const TempDir&) {};
};
void PrintTo(const BadStart& start, std::ostream* out) { *out << start.name; }

class Start : public ::testing::TestWithParam<BadStart> {};

TEST_P(Start, is_refused) {
  const auto& start = GetParam();
  const TempDir dir;
  start.arrange(dir);
  Words args;
  for (const auto& arg : start.args) args.push_back(arg.starts_with('@') ? dir.file(arg.substr(1)) : arg);
  const auto result = run_program(program_path(start.program), args);
  EXPECT_EQ(result.exit_code, start.exit_code) << result.err;
  EXPECT_THAT(result.err, ::testing::StartsWith("error: "));
  for (const auto& words : start.says) EXPECT_THAT(result.err, HasSubstr(words));
}

std::string name_of(const ::testing::TestParamInfo<BadStart>& info) { return info.param.name; }

// A program's configuration file.
std::function<void(const TempDir&)> config(const std::string& text) {
  return [text](const TempDir& dir) { dir.write("config.yaml", text); };
}
std::function<void(const TempDir&)> store(const std::string& bytes) {
  return [bytes](const TempDir& dir) { dir.write("pipekit.db", bytes); };
}
void store_of_somebody_else(const TempDir& dir) {
  new_sqlite(dir.file("pipekit.db"))->execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
}
const Words kBroker = {"--data-dir", "@"};
Words worker(const Words& more) {
  Words args = {"--data-dir", "@", "--name", "w"};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

INSTANTIATE_TEST_SUITE_P(
    CommandLine, Start,
    ::testing::Values(
        BadStart{"broker_flag", "pipekit-broker", {"--bogus"}, 2, {"--bogus", "pipekit-broker --help"}},
        BadStart{"worker_flag", "pipekit-worker", {"--bogus"}, 2, {"--bogus", "pipekit-worker --help"}},
        BadStart{
            "broker_log_level", "pipekit-broker", {"--data-dir", "@", "--log-level", "loud"}, 2, {"loud", "warning"}},
        BadStart{"worker_log_level", "pipekit-worker", worker({"--log-level", "loud"}), 2, {"loud", "warning"}},
        BadStart{"worker_name", "pipekit-worker", {"--data-dir", "@", "--name", "../w"}, 2, {"--name ../w"}},
        BadStart{"worker_without_a_name", "pipekit-worker", {"--data-dir", "@"}, 2, {"needs a name", "--name NAME"}},
        BadStart{"worker_slots", "pipekit-worker", worker({"--slots", "0"}), 2, {"--slots 0", "1 to 1000"}},
        BadStart{"broker_lease", "pipekit-broker", {"--data-dir", "@", "--lease", "0"}, 2, {"--lease 0", "0.5 to"}},
        BadStart{"broker_open_to_others",
                 "pipekit-broker",
                 {"--data-dir", "@", "--control-endpoint", "tcp://0.0.0.0:0"},
                 6,
                 {"tcp://0.0.0.0:0", "loopback"}},
        BadStart{"runner_missing",
                 "pipekit-worker",
                 worker({"--jrunner", "/nowhere/jrunner"}),
                 5,
                 {"there is no runner /nowhere/jrunner", "--jrunner"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Configuration, Start,
    ::testing::Values(BadStart{"worker_unknown_key",
                               "pipekit-worker",
                               worker({"--config", "@config.yaml"}),
                               2,
                               {"config.yaml:2: unknown key \"slot\"", "did you mean 'slots'?"},
                               config("tags: [a]\nslot: 3\n")},
                      BadStart{"broker_unknown_key",
                               "pipekit-broker",
                               {"--config", "@config.yaml"},
                               2,
                               {"config.yaml:1: unknown key \"leas_s\"", "did you mean 'lease_s'?"},
                               config("leas_s: 3\n")},
                      BadStart{"duplicate_key",
                               "pipekit-broker",
                               {"--config", "@config.yaml"},
                               2,
                               {"config.yaml:2: \"lease_s\" again"},
                               config("lease_s: 3\nlease_s: 4\n")},
                      BadStart{"no_number",
                               "pipekit-worker",
                               worker({"--config", "@config.yaml"}),
                               2,
                               {"config.yaml: slots: \"many\" is not a number"},
                               config("slots: many\n")},
                      BadStart{"list_for_one",
                               "pipekit-worker",
                               worker({"--config", "@config.yaml"}),
                               2,
                               {"config.yaml: slots: expected one value, not a list"},
                               config("slots: [1, 2]\n")},
                      BadStart{
                          "missing", "pipekit-worker", worker({"--config", "@nowhere.yaml"}), 2, {"nowhere.yaml"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    DataDir, Start,
    ::testing::Values(
        BadStart{"is_a_file", "pipekit-broker", {"--data-dir", "@config.yaml"}, 2, {"config.yaml"}, config("")},
        BadStart{"cannot_be_made",
                 "pipekit-broker",
                 {"--data-dir", "/proc/nowhere"},
                 2,
                 {"cannot create the data directory /proc/nowhere"}},
        BadStart{"too_long_for_a_socket", "pipekit-broker", {"--data-dir", "@" + std::string(120, 'x')}, 2, {"xxx"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(Store, Start,
                         ::testing::Values(BadStart{"is_no_database",
                                                    "pipekit-broker",
                                                    kBroker,
                                                    1,
                                                    {"pipekit.db", "not a database", "hint: ", "backup"},
                                                    store(std::string(8192, 'x'))},
                                           BadStart{
                                               "is_of_somebody_else",
                                               "pipekit-broker",
                                               kBroker,
                                               3,
                                               {"pipekit.db is a database, but not a store of Pipekit", "--data-dir"},
                                               store_of_somebody_else}),
                         name_of);

TEST(Options, come_from_the_flag_before_the_variable_before_the_file) {
  const TempDir dir;
  const auto file = dir.write("worker.yaml", "slots: 0\nname: w\ntags: [a, b]\n");
  const auto slots = [&](const Words& flags, const std::vector<std::string>& variables) {
    Words args = {"--config", file, "--data-dir", dir.path()};
    args.insert(args.end(), flags.begin(), flags.end());
    ProgramOptions options;
    options.env = variables;
    return run_program(program_path("pipekit-worker"), args, options).err;
  };
  EXPECT_THAT(slots({"--slots", "2000"}, {"PIPEKIT_SLOTS=3000"}), HasSubstr("--slots 2000:"));
  EXPECT_THAT(slots({}, {"PIPEKIT_SLOTS=3000"}), HasSubstr("--slots 3000:"));
  EXPECT_THAT(slots({}, {"PIPEKIT_SLOTS"}), HasSubstr("--slots 0:"));
}

TEST(CorruptStore, ends_the_broker_with_the_reason_and_is_left_for_repair) {
  auto site = std::make_unique<Site>();
  site->system().broker().signal(SIGTERM);
  ASSERT_EQ(site->system().broker_end(), 0);
  const auto file = site->system().data_dir() + "/pipekit.db";
  const auto sound = read_file(file);
  auto broken = sound;
  for (size_t page = 1; page * 4096 < broken.size(); ++page) broken.replace(page * 4096, 2000, 2000, '\xa5');
  std::ofstream(file, std::ios::binary) << broken;
  const auto result = run_program(program_path("pipekit-broker"), {"--data-dir", site->system().data_dir()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("error: store " + file), HasSubstr("malformed"), HasSubstr("backup")));
  for (const auto* beside : {"-wal", "-shm"}) fs::remove(file + beside);
  std::ofstream(file, std::ios::binary) << sound;
  site->system().start_broker();
  site->start_worker();
  site->expect_free();
}

// Put somewhere that cannot be written: by root either, where the test may mount.
TEST(ReadOnly, data_and_state_directories_are_refused_by_name) {
  const SmallDisk disk;
  const TempDir plain;
  if (!disk.mounted() && ::geteuid() == 0) GTEST_SKIP() << "needs the right to mount a tmpfs, or not to be root";
  const auto dir = disk.mounted() ? disk.path() : plain.path();
  disk.mounted() ? disk.make_read_only() : fs::permissions(dir, fs::perms::owner_read | fs::perms::owner_exec);
  const auto in_it = run_program(program_path("pipekit-broker"), {"--data-dir", dir});
  EXPECT_EQ(in_it.exit_code, 6);
  EXPECT_THAT(in_it.err, AllOf(HasSubstr("cannot write in the data directory " + dir.string()), HasSubstr("hint: ")));
  const auto below = run_program(program_path("pipekit-broker"), {"--data-dir", dir / "d"});
  EXPECT_EQ(below.exit_code, 6);
  EXPECT_THAT(below.err, HasSubstr("cannot create the data directory"));
  const auto worker_in_it = run_program(program_path("pipekit-worker"), {"--name", "w", "--data-dir", dir / "d"});
  EXPECT_EQ(worker_in_it.exit_code, 6);
  EXPECT_THAT(worker_in_it.err, AllOf(HasSubstr("cannot create the directory"), HasSubstr("--state-dir")));
  fs::permissions(plain.path(), fs::perms::owner_all);
}

TEST(FullDisk, under_the_store_ends_the_broker_and_what_it_has_accepted_stands) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  Site site(disk.path() / "d", 3);  // after a few seconds the worker sees that the broker is another
  site.start_worker({.state_dir = site.file("state")});
  disk.fill();
  const auto before = site.export_all();
  std::string large = "modules:\n";  // more than the store's log can take in before it is reused
  for (int i = 0; i < 4; ++i) {
    large += fmt::format(
        "  - {{name: large{}, source_connection: src, dest_connection: dst, dest_table: t, merge_strategy: full, "
        "source_query: \"SELECT {}\"}}\n",
        i, std::string(900'000, '1'));
  }
  const auto path = site.write("large.yaml", site.definitions(large));
  const auto lost = site.ctl({"--timeout", "1", "apply", "-f", path});
  EXPECT_EQ(lost.exit_code, 5);
  EXPECT_THAT(lost.err, HasSubstr("error: "));
  const auto ended = site.system().broker().wait();
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("full"), HasSubstr("hint: "), HasSubstr("room")));
  disk.make_room();
  site.system().start_broker();
  EXPECT_EQ(site.export_all(), before);
  site.expect_free();
}

// The suite's own system: what is done to it must not be felt.
class Peer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    site_ = std::make_unique<Site>();
    site_->start_worker();
  }
  static void TearDownTestSuite() { site_.reset(); }
  static int64_t peak_rss_kib() {
    std::ifstream status("/proc/" + std::to_string(site_->system().broker().pid()) + "/status");
    for (std::string word; status >> word;) {
      int64_t kib = 0;
      if (word == "VmHWM:" && status >> kib) return kib;
    }
    return -1;
  }
  static void expect_unmoved(const std::string& before) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LT(peak_rss_kib(), 200 * 1024);
#endif
    EXPECT_EQ(site_->export_all(), before);
    site_->expect_free();
  }
  static std::unique_ptr<Site> site_;
};
std::unique_ptr<Site> Peer::site_;

TEST_F(Peer, that_is_a_second_broker_on_the_same_store_is_refused) {
  const auto before = site_->export_all();
  const auto second = run_program(program_path("pipekit-broker"), {"--data-dir", site_->system().data_dir()});
  EXPECT_EQ(second.exit_code, 5);
  EXPECT_THAT(second.err, AllOf(HasSubstr("another broker has the store"), HasSubstr("--data-dir")));
  expect_unmoved(before);
}

std::vector<std::vector<std::string>> garbage() {
  std::mt19937_64 random(1);
  std::string noise(70'000, '\0');
  for (auto& byte : noise) byte = static_cast<char>(random());
  auto good = encode(ClientToBroker{Request{}});
  return {{""},
          {"x"},
          {"", ""},
          {noise},
          {noise, noise},
          {"", "", ""},
          {good.head},
          {good.head, ""},
          {good.head, noise},
          {good.head, good.body.substr(0, good.body.size() / 2)},
          {good.head, good.body, "more"},
          std::vector<std::string>(200, "part"),
          {good.head, std::string(17U << 20U, 'x')}};  // above the largest frame: the connection is closed
}

void send_parts(zmq::socket_t& socket, const std::vector<std::string>& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    socket.send(zmq::buffer(parts[i]), i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

// Bytes that are not even ZeroMQ's.
void knock(const std::string& path, const std::string& bytes) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << path;
  static_cast<void>(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

TEST_F(Peer, that_sends_garbage_on_every_socket_is_not_felt) {
  const auto before = site_->export_all();
  zmq::context_t context;
  for (const auto* name : {"control.sock", "worker.sock"}) {
    const auto path = site_->system().data_dir() + "/" + name;
    for (const auto& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'), std::string()}) {
      knock(path, bytes);
    }
    for (const auto& parts : garbage()) {
      for (const auto type : {zmq::socket_type::dealer, zmq::socket_type::req}) {
        zmq::socket_t socket(context, type);
        socket.set(zmq::sockopt::linger, 1000);
        socket.connect("ipc://" + path);
        send_parts(socket, parts);
      }
    }
    zmq::socket_t named(context, zmq::socket_type::dealer);  // a routing id of its own choice
    named.set(zmq::sockopt::linger, 1000);
    named.set(zmq::sockopt::routing_id, "w1");
    named.connect("ipc://" + path);
    const auto good = encode(ClientToBroker{Request{}});
    send_parts(named, {good.head, good.body});
  }
  context.close();  // everything has been sent
  expect_unmoved(before);
}

TEST_F(Peer, that_sends_and_never_reads_is_not_felt) {
  const auto before = site_->export_all();
  zmq::context_t context;
  std::vector<std::unique_ptr<DealerSocket>> silent;
  for (int peer = 0; peer < 4; ++peer) {
    silent.push_back(std::make_unique<DealerSocket>(context, site_->system().control_endpoint(), true));
    for (int64_t i = 1; i <= 2000; ++i) {
      Request request;
      request.client = "silent" + std::to_string(peer);
      request.number = i;
      request.verb = "export";
      silent.back()->send(encode(ClientToBroker{request}));
    }
  }
  expect_unmoved(before);
}

// Without it every run would fail there, one after the other.
class StateDirectory : public ::testing::Test {
 protected:
  // The run is given back and made by w2.
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

// For as long as it lives, and for the programs that are started meanwhile.
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
