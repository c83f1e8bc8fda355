// A broker, a worker w1 and two SQLite databases, with a module `good` that moves three rows between them: what bad
// input is done to, and what has to be as before when it has been refused. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/system/flow_fixture.h"

namespace pipekit::test {

class Site {
 public:
  // Leases are long, so that a slow machine loses none.
  explicit Site(const std::filesystem::path& data_dir = {}, double lease_s = 60);

  LocalSystem& system() { return system_; }
  UserDatabase& destination() { return *dst_; }
  // Of the test's own, in memory.
  [[nodiscard]] std::string file(std::string_view name) const { return memory_.file(name); }
  std::string write(std::string_view name, const std::string& content) const { return memory_.write(name, content); }
  RunningProgram& start_worker(WorkerOptions options = {}, const std::string& name = "w1");

  [[nodiscard]] Words ctl_args(const Words& args) const;
  ProgramResult ctl(const Words& args) const;
  Json json(Words args) const;
  // The text of a definition file: connections src and dst, then this.
  [[nodiscard]] std::string definitions(const std::string& more) const;
  void apply(const std::string& more);
  // What bad input must not change: all definitions, the destination's rows, and which runs have merged.
  std::string state();
  std::string export_all() const { return ctl({"export"}).out; }
  // Somewhere under the data directory.
  bool is_kept(const std::string& words) const;

  // Nothing waits, runs or is left of a run: no live run, no child of a worker, no staging table; `good` runs.
  void expect_free();
  // The workers' children, and whatever else has their directories in its arguments.
  std::vector<std::string> processes_of_runs();

 private:
  TempDir memory_{memory_directory()};
  LocalSystem system_;
  std::unique_ptr<UserDatabase> src_;
  std::unique_ptr<UserDatabase> dst_;
  std::vector<std::string> workers_;
};

// One bad input: `pipekit-ctl command` and how it is answered. "@NAME" in the command is the path of a file of that
// name in the test's directory; "@bad.yaml" is made from `document`.
struct BadInput {
  std::string name;
  Words command;
  std::string document{};  // of a definition file, after the site's own connections
  int exit_code = 3;
  Words says;        // each stands in the message
  Words never = {};  // none stands in it, nor in the store
  std::function<void(Site&)> arrange = {};
};

// Runs the command and holds its answer, and afterwards the site, against what is expected.
void expect_refused(Site& site, const BadInput& input);

inline void PrintTo(const BadInput& input, std::ostream* out) { *out << input.name; }

}  // namespace pipekit::test
