// Programs that must not start, because the command line, configuration file, data directory or store is wrong. Each
// one says so and exits with its exit code.
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
                 {"tcp://0.0.0.0:7601", "loopback"}},
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

}  // namespace
}  // namespace pipekit::test
