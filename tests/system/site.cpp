#include "tests/system/site.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/process_file.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kGood = R"(modules:
  - {name: good, source_connection: src, dest_connection: dst, dest_table: orders, merge_strategy: full,
     source_query: "SELECT id, customer, total FROM orders"}
  - {name: other, source_connection: src, dest_connection: dst, dest_table: orders, merge_strategy: full,
     source_query: "SELECT id, customer, total FROM orders WHERE id > {low}",
     watermarks: [{name: low, connection: dst, resolver_sql: SELECT 0}]}
groups:
  - {name: nightly, members: [good], schedules: [{cron_expr: "0 2 * * *", timezone: Europe/Berlin, enabled: false}]}
)";

// "PPID command line" of a process; empty if it is gone.
std::string process_line(const std::filesystem::path& proc) {
  const auto stat = read_process_file(proc / "stat");
  const auto name_end = stat.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(stat.substr(name_end + 1));
  std::string state;
  std::string parent;
  rest >> state >> parent;
  auto words = read_process_file(proc / "cmdline");
  std::ranges::replace(words, '\0', ' ');
  return parent + " " + words;
}

}  // namespace

Site::Site(const std::filesystem::path& data_dir, double lease_s)
    : system_({.lease_s = lease_s, .data_dir = data_dir.empty() ? memory_.path() / "d" : data_dir}),
      src_(new_sqlite(file("src.db"))),
      dst_(new_sqlite(file("dst.db"))) {
  for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
  src_->execute(kThreeOrders);
  apply(kGood);
}

RunningProgram& Site::start_worker(WorkerOptions options, const std::string& name) {
  options.env.push_back("JRUNNER=" + program_path("pipekit-jrunner"));
  options.env.emplace_back("TEST_PG_PASSWORD=s3cret pass");
  options.env.emplace_back("WRONG_PASSWORD=wr0ng value");
  options.env.emplace_back("NOT_SET");
  if (std::ranges::find(workers_, name) == workers_.end()) workers_.push_back(name);
  return system_.start_worker(name, options);
}

Words Site::ctl_args(const Words& args) const {
  Words words{"--data-dir", system_.data_dir()};
  for (const auto& arg : args) words.push_back(arg.starts_with('@') ? file(arg.substr(1)) : arg);
  return words;
}

ProgramResult Site::ctl(const Words& args) const { return run_program(program_path("pipekit-ctl"), ctl_args(args)); }

Json Site::json(Words args) const {
  args.insert(args.end(), {"-o", "json"});
  const auto result = ctl(args);
  if (result.exit_code != 0) throw std::runtime_error("pipekit-ctl " + args[0] + ": " + result.out + result.err);
  return Json::parse(result.out);
}

std::string Site::definitions(const std::string& more) const {
  return "connections:\n" + src_->definition("src") + dst_->definition("dst") + more;
}

void Site::apply(const std::string& more) {
  const auto result = ctl({"apply", "-f", write("good.yaml", definitions(more))});
  if (result.exit_code != 0) throw std::runtime_error("apply: " + result.err);
}

std::string Site::state() {
  const auto fenced = dst_->rows("SELECT count(*) FROM sqlite_schema WHERE name = 'pipekit_staging__merged'") == "1";
  const auto merged = fenced ? dst_->rows("SELECT module, run FROM pipekit_staging__merged ORDER BY 1, 2") : "";
  return export_all() + dst_->rows("SELECT * FROM orders ORDER BY 1") + merged;
}

bool Site::is_kept(const std::string& words) const {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(system_.data_dir())) {
    if (entry.is_regular_file() && read_file(entry.path()).find(words) != std::string::npos) return true;
  }
  return false;
}

std::vector<std::string> Site::processes_of_runs() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (!std::isdigit(entry.path().filename().string().front())) continue;
    const auto line = process_line(entry.path());
    bool ours = line.find(system_.data_dir() + "/workers/") != std::string::npos;
    for (const auto& name : workers_) {
      ours = ours || line.starts_with(std::to_string(system_.worker(name).pid()) + " ");
    }
    if (ours) found.push_back(line);
  }
  return found;
}

void Site::expect_free() {
  for (const auto* status : {"queued", "running"}) {
    EXPECT_EQ(json({"runs", "list", "--status", status}), Json::array()) << "a run was left, and its lock";
  }
  EXPECT_THAT(processes_of_runs(), ::testing::IsEmpty());
  EXPECT_EQ(dst_->staging_tables(), "");
  const auto good = ctl({"run", "good", "--watch"});
  EXPECT_EQ(good.exit_code, 0) << good.out << good.err;
  EXPECT_EQ(dst_->rows("SELECT id FROM orders ORDER BY 1"), "1\n2\n3");
}

void expect_refused(Site& site, const BadInput& input) {
  if (input.arrange) input.arrange(site);
  if (!input.document.empty()) site.write("bad.yaml", site.definitions(input.document));
  const auto before = site.state();
  const auto result = site.ctl(input.command);
  EXPECT_EQ(result.exit_code, input.exit_code);
  const auto told = result.out + result.err;
  for (const auto& words : input.says) EXPECT_THAT(told, HasSubstr(words));
  for (const auto& words : input.never) {
    EXPECT_THAT(told, Not(HasSubstr(words)));
    EXPECT_FALSE(site.is_kept(words)) << words;
  }
  EXPECT_EQ(site.state(), before);
  site.expect_free();
}

}  // namespace pipekit::test
