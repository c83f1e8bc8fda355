// The command line with the jrunner contract's single-dash flags, which no library parses. Pure: the environment for
// `env:NAME` is passed in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"
#include "worker/jrunner/table_format.h"

namespace pipekit::jrunner {

struct Login {
  std::string url;
  std::optional<std::string> user{};
  std::optional<std::string> password{};
};

enum class Mode { kMigration, kQuery, kHelp, kVersion };

struct Arguments {
  Mode mode = Mode::kQuery;
  Login source{};
  Login destination{};
  std::string sql_file{};
  std::string table{};
  TableFormat format = TableFormat::kCsv;
  bool read_only = false;  // the source's session
  bool generated = false;  // the script was written by a program
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// `args` does not include the program's name. kUsage names the wrong flag.
Result<Arguments> parse_arguments(const std::vector<std::string>& args, const Environment& environment);
std::string_view usage();

}  // namespace pipekit::jrunner
