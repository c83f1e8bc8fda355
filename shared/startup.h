// The start of broker and worker: options, configuration file, log, and the report of an error. Called by main, before
// threads are started.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/error.h"
#include "shared/origin.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace pipekit {

// Writes "error: ..." and "hint: ..." to stderr; returns the exit code.
int report(const Error& error);

// The options of a program: each is a flag, a PIPEKIT_ variable and a key of the configuration file, and knows from
// which of them its value came.
class Options {
 public:
  explicit Options(CLI::App& app) : app_(app) {}

  // `into` lives as long as this. Text that is a `path` is checked and made absolute (full_path).
  CLI::Option* add(const std::string& key, const std::string& flag, std::string& into, const std::string& about);
  CLI::Option* add_path(const std::string& key, const std::string& flag, std::string& into, const std::string& about);
  CLI::Option* add(const std::string& key, const std::string& flag, std::vector<std::string>& into,
                   const std::string& about);
  CLI::Option* add(const std::string& key, const std::string& flag, int64_t& into, const std::string& about);
  CLI::Option* add(const std::string& key, const std::string& flag, double& into, const std::string& about);

  // Command line, then variables, then the file that --config or PIPEKIT_CONFIG names. An exit code when the program is
  // to end: help was asked for, or an error has been reported.
  std::optional<int> parse(int argc, const char* const* argv);
  // kUsage for a bad file, or a value that an option does not take.
  Result<void> add_file(const std::string& file);

  [[nodiscard]] Given given(const std::string& key, const std::string& value) const;

 private:
  struct Entry {
    std::string key;
    CLI::Option* option;
    std::string* path;  // nullptr: not one
    Origin origin = Origin::fallback;
    std::string source{};
  };

  CLI::Option* remember(const std::string& key, CLI::Option* option, std::string* path = nullptr);
  Result<void> add_variables();
  Result<void> resolve_paths();

  CLI::App& app_;
  std::vector<Entry> entries_;
  std::string config_;
};

// "PIPEKIT_DATA_DIR" of "--data-dir".
std::string variable_of(const std::string& flag);

// The log of this process, on stderr. kUsage for an unknown level.
Result<void> open_log(const std::string& name, const std::string& level);

}  // namespace pipekit
