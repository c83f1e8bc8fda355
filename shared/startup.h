// What broker and worker do alike when they start: options, configuration file, log, and how an error is told. Called
// by main, before threads are started.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shared/error.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace pipekit {

// "error: ..." and "hint: ..." on stderr; answers the exit code.
int report(const Error& error);

// The key of the configuration file that stands for an option.
using FileKeys = std::vector<std::pair<std::string, CLI::Option*>>;

// Gives each option that was given neither as a flag nor as a variable what the file says. kUsage for a bad file, or a
// value that the option does not take.
Result<void> add_file_options(const std::string& file, const FileKeys& keys);

// Command line and variables, then the file that `config` names after that ("": none). An exit code when the program is
// to end: help was asked for, or an error has been reported.
std::optional<int> parse_options(CLI::App& app, int argc, const char* const* argv, const std::string& config,
                                 const FileKeys& keys);

// The log of this process, on stderr. kUsage for a level that there is not.
Result<void> open_log(const std::string& name, const std::string& level);

}  // namespace pipekit
