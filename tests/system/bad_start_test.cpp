// Programs that must not start, because the command line, configuration file, data directory or store is wrong. Each
// one says so and exits with its exit code.
#include <fstream>
#include <iterator>

#include "tests/system/site.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;

// A program that must not start. "@NAME" in its arguments is a path in the test's directory.
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
void make_private(const std::string& file) {
  std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}
std::function<void(const TempDir&)> store(const std::string& bytes) {
  return [bytes](const TempDir& dir) { make_private(dir.write("pipekit.db", bytes)); };
}
void store_of_somebody_else(const TempDir& dir) {
  new_sqlite(dir.file("pipekit.db"))->execute("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)");
  make_private(dir.file("pipekit.db"));
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
                 {"--data-dir", "@", "--control-endpoint", "tcp://0.0.0.0:7601"},
                 6,
                 {"tcp://0.0.0.0:7601", "without a key"}},
        BadStart{"broker_on_loopback_without_a_key",
                 "pipekit-broker",
                 {"--data-dir", "@", "--control-endpoint", "tcp://127.0.0.1:7601"},
                 6,
                 {"tcp://127.0.0.1:7601", "pipekit-ctl keys new"}},
        BadStart{"worker_on_loopback_without_a_key",
                 "pipekit-worker",
                 worker({"--broker", "tcp://127.0.0.1:7602"}),
                 6,
                 {"tcp://127.0.0.1:7602", "--key-file"}},
        BadStart{"ctl_on_loopback_without_a_key",
                 "pipekit-ctl",
                 {"--broker", "tcp://127.0.0.1:7601", "status"},
                 6,
                 {"tcp://127.0.0.1:7601", "--key-file"}},
        BadStart{"broker_two_endpoints_in_one",
                 "pipekit-broker",
                 {"--data-dir", "@", "--control-endpoint", "tcp://127.0.0.1:0;0.0.0.0:27999"},
                 2,
                 {"is not an endpoint"}},
        BadStart{"broker_endpoint",
                 "pipekit-broker",
                 {"--data-dir", "@", "--control-endpoint", "garbage"},
                 2,
                 {"\"garbage\" is not an endpoint", "tcp://HOST:PORT"}},
        BadStart{"broker_port",
                 "pipekit-broker",
                 {"--data-dir", "@", "--worker-endpoint", "tcp://127.0.0.1:99999"},
                 2,
                 {"tcp://127.0.0.1:99999", "1 to 65535"}},
        BadStart{"broker_socket_nowhere",
                 "pipekit-broker",
                 {"--data-dir", "@", "--control-endpoint", "ipc:///nowhere/x.sock"},
                 2,
                 {"cannot listen on ipc:///nowhere/x.sock: No such file", "choose another"}},
        BadStart{"worker_broker",
                 "pipekit-worker",
                 worker({"--broker", "http://host"}),
                 2,
                 {"\"http://host\" is not an endpoint"}},
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

// A directory called ~ is what came of it.
INSTANTIATE_TEST_SUITE_P(
    Paths, Start,
    ::testing::Values(
        BadStart{"broker_home_in_file",
                 "pipekit-broker",
                 {"--config", "@config.yaml"},
                 2,
                 {"config.yaml: data_dir: \"~/pk\"", "write the path in full"},
                 config("data_dir: ~/pk\n")},
        BadStart{"broker_home_in_flag",
                 "pipekit-broker",
                 {"--data-dir", "~/pk"},
                 2,
                 {"--data-dir", "write the path in full"}},
        BadStart{"broker_relative_in_file",
                 "pipekit-broker",
                 {"--config", "@config.yaml"},
                 2,
                 {"config.yaml: data_dir: \"pk\" is not a full path"},
                 config("data_dir: pk\n")},
        BadStart{"broker_parent_in_file",
                 "pipekit-broker",
                 {"--config", "@config.yaml"},
                 2,
                 {"is not a full path"},
                 config("data_dir: /tmp/../pk\n")},
        BadStart{"broker_key_file",
                 "pipekit-broker",
                 {"--data-dir", "@", "--config", "@config.yaml"},
                 2,
                 {"config.yaml: key_file: \"~/broker.key\""},
                 config("key_file: ~/broker.key\n")},
        BadStart{"worker_state_dir",
                 "pipekit-worker",
                 worker({"--config", "@config.yaml"}),
                 2,
                 {"config.yaml: state_dir: \"~/w\"", "write the path in full"},
                 config("state_dir: ~/w\n")},
        BadStart{
            "worker_runner", "pipekit-worker", worker({"--jrunner", "~/bin/jrunner"}), 2, {"write the path in full"}},
        BadStart{"ctl_home", "pipekit-ctl", {"--data-dir", "~/pk", "status"}, 2, {"write the path in full"}}),
    name_of);

void store_behind_a_link(const TempDir& dir) {
  make_private(dir.write("elsewhere.db", ""));
  std::filesystem::create_symlink(dir.file("elsewhere.db"), dir.file("pipekit.db"));
}
void wal_behind_a_link(const TempDir& dir) {
  make_private(dir.write("elsewhere.db", ""));
  std::filesystem::create_symlink(dir.file("elsewhere.db"), dir.file("pipekit.db-wal"));
}
void lock_behind_a_link(const TempDir& dir) {
  make_private(dir.write("elsewhere", ""));
  std::filesystem::create_symlink(dir.file("elsewhere"), dir.file("broker.lock"));
}
void socket_lock_behind_a_link(const TempDir& dir) {
  make_private(dir.write("elsewhere", ""));
  std::filesystem::create_symlink(dir.file("elsewhere"), dir.file("control.sock.lock"));
}

INSTANTIATE_TEST_SUITE_P(
    Links, Start,
    ::testing::Values(
        BadStart{"store", "pipekit-broker", kBroker, 6, {"pipekit.db is a symbolic link"}, store_behind_a_link},
        BadStart{"wal", "pipekit-broker", kBroker, 6, {"pipekit.db-wal is a symbolic link"}, wal_behind_a_link},
        BadStart{"lock", "pipekit-broker", kBroker, 6, {"broker.lock is a symbolic link"}, lock_behind_a_link},
        BadStart{"socket_lock", "pipekit-broker", kBroker, 2, {"cannot listen on"}, socket_lock_behind_a_link}),
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
                                           BadStart{"is_of_somebody_else",
                                                    "pipekit-broker",
                                                    kBroker,
                                                    3,
                                                    {"pipekit.db is a database, but not a Pipekit store", "--data-dir"},
                                                    store_of_somebody_else}),
                         name_of);

TEST(StoreOfSomebodyElse, is_not_changed_before_it_is_rejected) {
  for (const auto* mode : {"DELETE", "WAL"}) {
    const TempDir dir;
    const auto file = dir.file("pipekit.db");
    new_sqlite(file)->execute(std::string("PRAGMA journal_mode=") + mode + "; CREATE TABLE theirs (x)");
    make_private(file);
    const auto bytes = [&] {
      std::ifstream in(file, std::ios::binary);
      return std::string{std::istreambuf_iterator<char>{in}, {}};
    };
    const auto before = bytes();
    const auto result = run_program(program_path("pipekit-broker"), {"--data-dir", dir.path()});
    EXPECT_EQ(result.exit_code, 3) << result.err;
    EXPECT_EQ(bytes(), before) << mode;
    EXPECT_FALSE(std::filesystem::exists(file + "-wal")) << mode;
    EXPECT_FALSE(std::filesystem::exists(file + "-shm")) << mode;
    EXPECT_FALSE(std::filesystem::exists(file + "-journal")) << mode;
  }
}

// Its messages would go into whatever it opens first, which is the store.
TEST(StandardDescriptors, may_be_closed_when_a_program_starts) {
  const TempDir dir;
  RunningProgram broker("/bin/sh",
                        {"-c", "exec " + program_path("pipekit-broker") + " --data-dir " + dir.file("d") + " <&- >&-"});
  broker.wait_for_err(" serves ");
  for (int fd = 0; fd <= 1; ++fd) {
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(broker.pid()) + "/fd/" + std::to_string(fd)),
              "/dev/null");
  }
  const auto quiet = [&](const std::string& command) {
    return run_program("/bin/sh", {"-c", command + " <&- >&- 2>&-"}).exit_code;
  };
  EXPECT_EQ(quiet(program_path("pipekit-ctl") + " --data-dir " + dir.file("d") + " status"), 0);
  EXPECT_EQ(quiet(program_path("pipekit-broker") + " --data-dir " + dir.file("d")), 5) << "it is in use";
  EXPECT_EQ(quiet(program_path("pipekit-worker") + " --data-dir " + dir.file("d")), 2) << "it needs a name";
  EXPECT_NE(quiet(program_path("pipekit-jrunner")), 0);
}

TEST(SecondBroker, on_the_same_socket_ends_and_the_first_stays_reachable) {
  const TempDir dir;
  const Words sockets = {"--control-endpoint", "ipc://" + dir.file("c"), "--worker-endpoint", "ipc://" + dir.file("w")};
  const auto with_store = [&](const std::string& name) {
    Words args = {"--data-dir", dir.file(name)};
    args.insert(args.end(), sockets.begin(), sockets.end());
    return args;
  };
  const auto groups = [&](const Words& verb) {
    Words args = {"--broker", "ipc://" + dir.file("c"), "--timeout", "5"};
    args.insert(args.end(), verb.begin(), verb.end());
    return run_program(program_path("pipekit-ctl"), args);
  };
  RunningProgram first(program_path("pipekit-broker"), with_store("x"));
  first.wait_for_err(" serves ");
  EXPECT_EQ(groups({"group", "add", "of-the-first"}).exit_code, 0);
  const auto second = run_program(program_path("pipekit-broker"), with_store("y"));
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_THAT(second.err, HasSubstr("cannot listen on ipc://"));
  EXPECT_THAT(groups({"group", "list"}).out, HasSubstr("of-the-first"));
  std::filesystem::remove(dir.file("c.lock"));  // as with one that was there before the lock was
  EXPECT_EQ(run_program(program_path("pipekit-broker"), with_store("y")).exit_code, 2);
  EXPECT_THAT(groups({"group", "list"}).out, HasSubstr("of-the-first"));
}

TEST(Options, a_variable_does_not_beat_a_flag) {
  const TempDir dir;
  ProgramOptions options;
  options.env = {"PIPEKIT_BROKER=ipc://" + dir.file("elsewhere"),
                 "PIPEKIT_CONTROL_ENDPOINT=ipc://" + dir.file("nowhere/c"),
                 "PIPEKIT_WORKER_ENDPOINT=ipc://" + dir.file("nowhere/w")};
  RunningProgram broker(program_path("pipekit-broker"), {"--data-dir", dir.file("d")}, options);
  broker.wait_for_err(" serves ");
  EXPECT_THAT(broker.err(), HasSubstr("control ipc://" + dir.file("d") + "/control.sock"));
  RunningProgram worker(program_path("pipekit-worker"), {"--name", "w", "--data-dir", dir.file("d")}, options);
  worker.wait_for_err("welcomed by the broker");
}

TEST(Options, warn_is_a_level_of_every_program) {
  const TempDir dir;
  ProgramOptions options;
  options.env = {"PIPEKIT_LOG_LEVEL=warn"};
  // Beyond the level: what is wrong comes later.
  EXPECT_THAT(run_program(program_path("pipekit-broker"), {"--data-dir", dir.path(), "--lease", "0"}, options).err,
              HasSubstr("--lease 0"));
  EXPECT_THAT(run_program(program_path("pipekit-worker"), {"--data-dir", dir.path()}, options).err,
              HasSubstr("needs a name"));
  EXPECT_EQ(run_program(program_path("pipekit-ctl"), {"--log-level", "warning", "config", "show"}).exit_code, 0);
  EXPECT_EQ(run_program(program_path("pipekit-ctl"), {"config", "show"}, options).exit_code, 0);
}

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

}  // namespace
}  // namespace pipekit::test
