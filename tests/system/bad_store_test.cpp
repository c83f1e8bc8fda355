// Damaged stores and disks: the broker exits with the reason, and everything it had accepted is kept.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/support/small_disk.h"
#include "tests/system/site.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

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

TEST(MovedStore, ends_the_broker_before_it_promises_anything) {
  Site site;
  site.start_worker();
  auto& client = site.system().client();
  client.ask("settings.list");  // connected, because a new client would find no socket
  const auto data = site.system().data_dir();
  fs::rename(data + "/pipekit.db", data + "/aside.db");
  client.send(client.next_number(), "run", {{"module", "good"}});
  const auto ended = site.system().broker().wait();
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("pipekit.db was removed or replaced"), HasSubstr("hint: put the file back")));
}

// Another program holds the store's lock.
TEST(LockedStore, is_waited_for_by_name_and_costs_no_lease) {
  Site site;
  site.start_worker();
  auto& system = site.system();
  const auto store = system.data_dir() + "/pipekit.db";
  RunningProgram holder("/usr/bin/python3",
                        {"-c",
                         "import signal, sqlite3, sys\nk = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                         "k.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\nsignal.pause()",
                         store});
  holder.wait_for_out("locked");
  auto& client = system.client();
  const auto number = client.next_number();
  client.send(number, "run", {{"module", "good"}});
  system.broker().wait_for_err(fmt::format("waiting for process {} (python3) to release its lock", holder.pid()));
  holder.signal(SIGTERM);
  holder.wait();
  const auto reply = client.receive(number);
  ASSERT_FALSE(reply.error);
  system.broker().wait_for_err("the store is free again");
  EXPECT_EQ(system.finished(reply.body.at("run_id").get<int64_t>())["status"], "success");
  site.expect_free();
  system.events().catch_up();
  for (const auto& event : system.events().seen()) EXPECT_NE(event.kind, "worker.lost");
}

TEST(LockedStore, does_not_keep_the_broker_from_ending) {
  Site site;
  const auto store = site.system().data_dir() + "/pipekit.db";
  RunningProgram holder("/usr/bin/python3",
                        {"-c",
                         "import signal, sqlite3, sys\nk = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                         "k.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\nsignal.pause()",
                         store});
  holder.wait_for_out("locked");
  auto& client = site.system().client();
  client.send(client.next_number(), "run", {{"module", "good"}});
  site.system().broker().wait_for_err("waiting for process ");
  site.system().broker().signal(SIGTERM);
  EXPECT_EQ(site.system().broker_end(), 0);
}

// In a place that not even root can write, where the test is allowed to mount.
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
  Site site(disk.path() / "d", 3);  // after a few seconds the worker notices that the broker is a different one
  site.start_worker({.state_dir = site.file("state")});
  disk.fill();
  const auto before = site.export_all();
  std::string large = "modules:\n";  // more than the store's WAL can take before it is reused
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
  EXPECT_THAT(ended.err, AllOf(HasSubstr("full"), HasSubstr("hint: "), HasSubstr("free space")));
  disk.make_room();
  site.system().start_broker();
  EXPECT_EQ(site.export_all(), before);
  site.expect_free();
}

}  // namespace
}  // namespace pipekit::test
