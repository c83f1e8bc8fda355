// Calls of the jrunner, one at a time, on an executor's thread. Everything that touches a user database goes through
// here. A call's output is masked, cut into bounded lines and streamed while it runs; memory stays bounded whatever the
// child prints, because its pipes are not read while the broker is behind (Link::congested).
#pragma once

#include <sys/resource.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shared/clock.h"
#include "shared/error.h"
#include "shared/protocol.h"
#include "worker/link.h"
#include "worker/masker.h"
#include "worker/process.h"
#include "worker/row_count.h"
#include "worker/secrets.h"

namespace pipekit::worker {

// What a worker's executors have in common.
struct RunnerConfig {
  std::string program;  // the jrunner
  bool bundled = true;
  bool passwords_as_arguments = false;  // where every user of the host can see them; else as env:NAME
  Secrets secrets{};
  Variables environment{};                    // of every child
  std::vector<std::string> url_parameters{};  // allowed beyond those that are harmless
  std::filesystem::path scratch;
  int lock_fd = -1;
  rlim_t open_files = 0;      // the runner's soft limit; 0: the worker's own
  Millis kill_grace{10'000};  // between SIGTERM and SIGKILL
};

enum class Interruption { none, cancelled, killed, timed_out, overran, not_started };

struct CallResult {
  Interruption interruption = Interruption::none;
  std::optional<ExitStatus> exit;  // unset when it was not started
  std::string output;              // of a query: data, unmasked, at most the limit (then overflow)
  bool overflow = false;
  std::string complaint;        // the end of stderr, or why it was not started
  std::optional<int64_t> rows;  // migration: what the runner reported
  std::string errors{};         // stderr, head and tail
  std::string hint{};           // what to do when it was not started
  std::string time_limit{};     // that was over, if it timed out

  [[nodiscard]] bool ok() const { return interruption == Interruption::none && exit && exit->success() && !overflow; }
  // For people: the complaint, or how it ended.
  [[nodiscard]] std::string describe() const;
};

class Runner {
 public:
  // `secrets`: masked in all output except the data of query results.
  // `tag`: in the names of its script files, unique among the worker's executors.
  Runner(const RunnerConfig& config, std::string tag, const Clock& clock, Link& link,
         const std::vector<std::string>& secrets);

  // The attempt's own end (timeout_s), and for messages how long it had: "60 s (timeout_s)". Calls that clean up ignore
  // it.
  void set_deadline(MonoTime deadline, std::string time_limit) {
    deadline_ = deadline;
    time_limit_ = std::move(time_limit);
  }

  // work: ends if the run is cancelled or times out. clean_up: only a lost lease ends it, or kCleanUpLimit.
  // hook: as work, but one that begins after the cancel or the end of the run's time is cleaning up.
  enum class Kind { work, clean_up, hook };
  static constexpr Millis kCleanUpLimit{120'000};

  struct Query {
    ConnectionSnapshot connection;
    std::string sql;
    Kind kind = Kind::work;
    size_t max_output = size_t{4} << 20U;
    bool stream_output = false;         // stdout is for people (hooks): goes to the log and, head and tail, to `output`
    bool read_only = true;              // the session, unless the connection's read_only is false
    bool generated = false;             // nobody wrote the script by hand: errors do not name its statements
    bool quiet = false;                 // a failure is expected: stderr is for the caller alone, not for the log
    std::optional<int64_t> max_rows{};  // enough: the runner is ended after that many lines, and that is a success
  };
  CallResult query(const Query& query);

  struct Migration {
    ConnectionSnapshot source;
    ConnectionSnapshot dest;
    std::string sql;
    std::string table;
  };
  // stdout, head and tail, is kept in `output`.
  CallResult migrate(const Migration& migration, RowCount count);

 private:
  struct Call;
  struct Arguments {
    std::vector<std::string> argv;
    Variables env;
  };
  Result<void> add_connection(Arguments& arguments, const ConnectionSnapshot& connection, const char* prefix,
                              const char* variable) const;
  Result<std::filesystem::path> write_script(const std::string& sql);
  static CallResult not_started(const Error& why);
  CallResult run(const Arguments& arguments, Call& call);
  void wait(Process& process, Call& call);
  void check_interruption(Process& process, Call& call);
  void set_limits(Call& call) const;

  const RunnerConfig& config_;
  const std::string tag_;
  const Clock& clock_;
  Link& link_;
  Masker masker_;
  std::optional<MonoTime> deadline_;
  std::string time_limit_;
  int64_t calls_ = 0;
};

}  // namespace pipekit::worker
