// A broker, a worker w1 and two SQLite databases, with a module `good` that moves three rows between them: the target
// of bad input, which must be unchanged after the input was rejected. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/system/flow_fixture.h"

namespace pipekit::test {

class Site {
 public:
  // Leases are long, so that none ends on a slow machine.
  explicit Site(const std::filesystem::path& data_dir = {}, double lease_s = 60);

  LocalSystem& system() { return system_; }
  UserDatabase& destination() { return *dst_; }
  // The test's own, in memory.
  [[nodiscard]] std::string file(std::string_view name) const { return memory_.file(name); }
  std::string write(std::string_view name, const std::string& content) const { return memory_.write(name, content); }
  RunningProgram& start_worker(WorkerOptions options = {}, const std::string& name = "w1");

  [[nodiscard]] Words ctl_args(const Words& args) const;
  ProgramResult ctl(const Words& args) const;
  Json json(Words args) const;
  // The text of a definition file: connections src and dst, followed by this.
  [[nodiscard]] std::string definitions(const std::string& more) const;
  void apply(const std::string& more);
  // The state that bad input must not change: all definitions, the destination's rows, and the runs that have merged.
  std::string state();
  std::string export_all() const { return ctl({"export"}).out; }
  // A path under the data directory.
  bool is_kept(const std::string& words) const;

  // Nothing is waiting, running or left over: no live run, no child of a worker, no staging table; `good` runs.
  void expect_free();
  // The workers' children, and any other process with their directories in its arguments.
  std::vector<std::string> processes_of_runs();

 private:
  TempDir memory_{memory_directory()};
  LocalSystem system_;
  std::unique_ptr<UserDatabase> src_;
  std::unique_ptr<UserDatabase> dst_;
  std::vector<std::string> workers_;
};

// A bad input: `pipekit-ctl command` and the expected answer. "@NAME" in the command is the path of a file with that
// name in the test's directory; "@bad.yaml" is created from `document`.
struct BadInput {
  std::string name;
  Words command;
  std::string document{};  // a definition file, after the site's own connections
  int exit_code = 3;
  Words says;        // the message contains each
  Words never = {};  // neither the message nor the store contains any
  std::function<void(Site&)> arrange = {};
};

// Runs the command and compares its answer, and then the site, with the expectation.
void expect_refused(Site& site, const BadInput& input);

inline void PrintTo(const BadInput& input, std::ostream* out) { *out << input.name; }

}  // namespace pipekit::test
