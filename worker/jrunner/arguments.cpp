#include "worker/jrunner/arguments.h"

#include <algorithm>
#include <map>
#include <utility>

namespace pipekit::jrunner {
namespace {

using Flags = std::map<std::string, std::string, std::less<>>;

constexpr std::string_view kFlags[] = {"-scu", "-scn", "-scp", "-dcu", "-dcn", "-dcp", "-sq", "-dt", "-f"};
constexpr std::string_view kSwitches[] = {"--read-only", "--generated"};  // without a value
constexpr std::string_view kMigrationFlags[] = {"-dcu", "-dcn", "-dcp", "-dt"};

Error usage_error(std::string message) { return {ErrorCode::kUsage, std::move(message), "pipekit-jrunner --help"}; }

bool known(std::string_view flag) { return std::ranges::find(kFlags, flag) != std::end(kFlags); }
bool is_switch(std::string_view flag) { return std::ranges::find(kSwitches, flag) != std::end(kSwitches); }

Result<Flags> collect(const std::vector<std::string>& args) {
  Flags flags;
  for (size_t i = 0; i < args.size(); i += 2) {
    if (is_switch(args[i])) {
      if (!flags.emplace(args[i--], "").second) return usage_error(args[i + 1] + " is given twice");
      continue;
    }
    if (!known(args[i])) return usage_error("unknown argument: " + args[i]);
    if (i + 1 == args.size()) return usage_error(args[i] + " needs a value");
    if (!flags.emplace(args[i], args[i + 1]).second) return usage_error(args[i] + " is given twice");
  }
  return flags;
}

std::optional<std::string> take(const Flags& flags, std::string_view name) {
  const auto found = flags.find(name);
  return found == flags.end() ? std::nullopt : std::optional(found->second);
}

Result<Login> login(const Flags& flags, const std::string& side, const Environment& environment) {
  Login login{take(flags, side + "cu").value_or(""), take(flags, side + "cn"), take(flags, side + "cp")};
  if (login.url.empty()) return usage_error(side + "cu URL is missing");
  constexpr std::string_view kPrefix = "env:";
  if (login.password && login.password->starts_with(kPrefix)) {
    const auto name = login.password->substr(kPrefix.size());
    login.password = environment(name);
    if (!login.password) return usage_error(side + "cp env:" + name + ": the variable " + name + " is not set");
  }
  return login;
}

Result<TableFormat> format(const Flags& flags) {
  const auto word = take(flags, "-f").value_or("csv");
  if (word == "csv") return TableFormat::kCsv;
  if (word == "tsv") return TableFormat::kTsv;
  return usage_error("-f " + word + ": the format is csv or tsv");
}

Result<void> check_mode(const Flags& flags, Mode mode) {
  if (mode == Mode::kMigration) {
    if (flags.contains("-f")) return usage_error("-f belongs to query mode; with -dt no rows are printed");
    return {};
  }
  for (const auto name : kMigrationFlags) {
    if (flags.contains(name)) return usage_error(std::string(name) + " needs -dcu URL and -dt TABLE as well");
  }
  return {};
}

}  // namespace

Result<Arguments> parse_arguments(const std::vector<std::string>& args, const Environment& environment) {
  Arguments result;
  for (const auto& arg : args) {
    if (arg == "--help" || arg == "-h") result.mode = Mode::kHelp;
    if (arg == "--version") result.mode = Mode::kVersion;
    if (result.mode != Mode::kQuery) return result;
  }
  const auto flags = collect(args);
  if (!flags) return flags.error();
  result.read_only = flags->contains("--read-only");
  result.generated = flags->contains("--generated");
  result.mode = flags->contains("-dt") && flags->contains("-dcu") ? Mode::kMigration : Mode::kQuery;
  if (const auto checked = check_mode(*flags, result.mode); !checked) return checked.error();
  auto source = login(*flags, "-s", environment);
  if (!source) return source.error();
  result.source = *std::move(source);
  if (result.mode == Mode::kMigration) {
    auto destination = login(*flags, "-d", environment);
    if (!destination) return destination.error();
    result.destination = *std::move(destination);
    result.table = *take(*flags, "-dt");
    if (result.table.empty()) return usage_error("-dt TABLE is empty");
  }
  result.sql_file = take(*flags, "-sq").value_or("");
  if (result.sql_file.empty()) return usage_error("-sq FILE is missing");
  const auto wanted = format(*flags);
  if (!wanted) return wanted.error();
  result.format = *wanted;
  return result;
}

std::string_view usage() {
  return R"(pipekit-jrunner: copies the rows of a query into a table, or runs an SQL script

  pipekit-jrunner -scu URL [-scn USER] [-scp PASSWORD] -dcu URL [-dcn USER] [-dcp PASSWORD] -sq FILE -dt TABLE
  pipekit-jrunner -scu URL [-scn USER] [-scp PASSWORD] -sq FILE [-f csv|tsv]

  -scu, -dcu URL        source and destination: jdbc:sqlite:PATH, jdbc:postgresql://HOST:PORT/DATABASE?PARAMETERS
  -scn, -dcn USER       user name
  -scp, -dcp PASSWORD   password; env:NAME takes it from the environment, where no process list shows it
  -sq FILE              with -dt the one query whose rows are copied, else a script of statements
  --read-only           open the source read-only and refuse statements that write
  --generated           the script was written by a program: do not number its statements in errors
  -dt TABLE             the table that takes the rows, columns by position: all rows or none
  -f csv|tsv            how the rows of a script's last query are printed (csv)
  --help, --version

Exit codes: 0 success, 1 error of a database, 2 command line, 3 wrong input (table, number of columns), 5 database
missing or unreachable, 128 + N ended by signal N. See pipekit-jrunner(1).
)";
}

}  // namespace pipekit::jrunner
