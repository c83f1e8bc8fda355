// pipekit-bench: script/bench builds and starts it.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "bench/benchmark.h"
#include "bench/idle_gate.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "bench/stopwatch.h"

namespace pipekit::bench {
namespace {

constexpr int kTries = 3;  // for a round that other processes disturb

struct Options {
  std::vector<std::string> names;
  std::string json;  // a file, "-" for stdout; empty: none
  bool markdown = false;
  int rounds = 5;
  int64_t wait_s = 600;
  bool no_wait = false;
  Sizes sizes;
};

std::vector<Benchmark> all_benchmarks() {
  return {dispatch_benchmark(), log_benchmark(),   module_benchmark(),
          transfer_benchmark(), start_benchmark(), recovery_benchmark()};
}

// The problem with the names; empty if there is none.
std::string unknown_name(const std::vector<std::string>& names) {
  std::vector<std::string> known;
  for (const auto& benchmark : all_benchmarks()) known.push_back(benchmark.name);
  for (const auto& name : names) {
    if (std::ranges::find(known, name) == known.end()) {
      return fmt::format("there is no benchmark \"{}\"; there are {}", name, fmt::join(known, ", "));
    }
  }
  return "";
}

std::vector<Benchmark> chosen(const std::vector<std::string>& names) {
  auto all = all_benchmarks();
  std::erase_if(all, [&](const Benchmark& b) {
    return names.empty() ? b.only_when_named : std::ranges::find(names, b.name) == names.end();
  });
  return all;
}

Round measure(const Benchmark& benchmark, int number, const Options& options, IdleGate& gate) {
  for (int attempt = 1;; ++attempt) {
    gate.wait();
    const Stopwatch watch;
    Round round{number, false, benchmark.round(options.sizes)};
    round.disturbed = gate.disturbed();
    fmt::print(stderr, "  {} {} of {}: {:.1f} s", benchmark.name, number, options.rounds, watch.seconds());
    const bool again = round.disturbed && gate.waits() && attempt < kTries;
    if (round.disturbed) fmt::print(stderr, ", others took {:.0f} % of the machine", gate.taken_by_others() * 100);
    fmt::print(stderr, "{}\n", again ? ": again" : "");
    if (!again) return round;
  }
}

// JSON lines go to the given file and the table to stdout; they cannot both go to stdout.
class JsonLines {
 public:
  explicit JsonLines(const std::string& file) {
    if (file.empty()) return;
    out_ = file == "-" ? stdout : std::fopen(file.c_str(), "w");
    if (out_ == nullptr) throw std::system_error(errno, std::generic_category(), "cannot write " + file);
  }
  ~JsonLines() {
    if (out_ != nullptr && out_ != stdout) std::fclose(out_);
  }
  JsonLines(const JsonLines&) = delete;
  JsonLines& operator=(const JsonLines&) = delete;

  void add(const std::string& line) {
    if (out_ == nullptr) return;
    fmt::print(out_, "{}\n", line);
    std::fflush(out_);
  }
  [[nodiscard]] bool take_stdout() const { return out_ == stdout; }

 private:
  std::FILE* out_ = nullptr;
};

void print(const Benchmark& benchmark, const std::vector<Round>& rounds, const Options& options, JsonLines& json) {
  const auto summaries = summarise(benchmark.name, benchmark.figures, rounds);
  for (const auto& round : rounds) {
    for (const auto& line : round.lines) json.add(json_line(benchmark.name, round, line));
  }
  for (const auto& summary : summaries) json.add(json_line(summary));
  if (!json.take_stdout()) {
    fmt::print("{}\n", options.markdown ? markdown(benchmark.title, summaries) : table(benchmark.title, summaries));
  }
  std::fflush(stdout);
}

void run(const Options& options) {
  const auto directory = std::filesystem::temp_directory_path().string();
  const auto machine = description(directory);
  const auto note = is_in_memory(directory) ? " (in memory: an fsync costs nothing there; set TMPDIR)" : "";
  fmt::print(stderr, "{}; files in {}{}\n", machine, directory, note);
  JsonLines json(options.json);
  json.add(Json{{"kind", "machine"}, {"machine", machine}, {"version", PIPEKIT_VERSION}}.dump());
  if (options.markdown) {
    fmt::print("{}; Pipekit {}; rounds: {}.\n\n", machine, PIPEKIT_VERSION, options.rounds);
  }
  IdleGate gate(std::chrono::seconds{options.no_wait ? 0 : options.wait_s});
  for (const auto& benchmark : chosen(options.names)) {
    std::vector<Round> rounds;
    for (int number = 1; number <= options.rounds; ++number) {
      rounds.push_back(measure(benchmark, number, options, gate));
    }
    print(benchmark, rounds, options, json);
  }
}

int usage(const std::string& what) {
  fmt::print(stderr, "error: {}\nhint: script/bench --help\n", what);
  return 2;
}

int parse_and_run(int argc, char** argv) {
  CLI::App app{
      "Measures what Pipekit does in a second and what it takes, several times, and prints\n"
      "the median with the least and the greatest. A row that ends in ~ has rounds in which\n"
      "other processes took a tenth of the machine."};
  app.name("script/bench");
  app.footer(
      "NAME: dispatch, log, module, transfer, start; docs/BENCHMARKS.md tells what each figure\n"
      "means. Not among all: recovery, as root, three minutes a round (docs/RECOVERY.md). The table goes to stdout, "
      "all else to stderr. Files stand in $TMPDIR (/tmp) and go\n"
      "at the end. Exit codes: 0 measured, 1 failed or never idle, 2 usage.");
  Options options;
  app.add_option("NAME", options.names, "benchmarks to run; all when none is named");
  app.add_option("--json", options.json, "a JSON object a line for each round and figure; -: to stdout, without table")
      ->option_text("FILE");
  app.add_flag("--markdown", options.markdown, "the table as docs/BENCHMARKS.md has it");
  app.add_option("--rounds", options.rounds, "times that each is measured (5)")
      ->option_text("N")
      ->check(CLI::Range(1, 100));
  app.add_option("--seconds", options.sizes.seconds, "of a phase that is measured by time (4)")
      ->option_text("S")
      ->check(CLI::Range(0.2, 600.0));
  app.add_option("--rows", options.sizes.rows, "of a transfer (300000)")
      ->option_text("N")
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--wait", options.wait_s, "seconds to wait in all for an idle machine (600)")
      ->option_text("S")
      ->check(CLI::Range(0, 86'400));
  app.add_flag("--no-wait", options.no_wait, "measure at once, whatever else runs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage(error.what());
  }
  if (const auto unknown = unknown_name(options.names); !unknown.empty()) return usage(unknown);
  run(options);
  return 0;
}

}  // namespace
}  // namespace pipekit::bench

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // script/bench removes the files
  try {
    return pipekit::bench::parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
