#include "worker/jrunner/run.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "shared/failpoint.h"
#include "shared/plural.h"
#include "shared/say.h"
#include "worker/jrunner/arguments.h"
#include "worker/jrunner/failure.h"
#include "worker/jrunner/migration.h"
#include "worker/jrunner/script.h"
#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {
namespace {

int report(const Error& error) {
  say("error: " + error.message + "\n");
  if (!error.hint.empty()) say("hint: " + error.hint + "\n");
  return exit_code(error.code);
}

int report_interruption(int reason) {
  if (reason == SIGPIPE) {
    std::fputs("error: stdout was closed\n", stderr);
  } else {
    std::fprintf(stderr, "error: ended by signal %d (%s)\n", reason, ::strsignal(reason));
  }
  return 128 + reason;
}

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<std::string> read_script(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(content << file.rdbuf()))) {
    return Error{ErrorCode::kUsage, "cannot read the SQL file " + path + ": " + std::strerror(errno)};
  }
  auto text = content.str();
  const auto nul = text.find('\0');
  if (nul != std::string::npos) {
    return Error{ErrorCode::kInvalid,
                 "the SQL file " + path + " holds a NUL byte in line " + std::to_string(line_at(text, nul)),
                 "SQL is text in UTF-8"};
  }
  return text;
}

// A user and password given as flags override those of the URL.
Result<DatabaseTarget> target_of(const Login& login) {
  auto target = parse_jdbc_url(login.url);
  if (!target) return target;
  if (auto* postgres = std::get_if<PostgresTarget>(&*target)) {
    if (login.user) postgres->keywords.emplace_back("user", *login.user);
    if (login.password) postgres->keywords.emplace_back("password", *login.password);
  }
  return target;
}

int run_migration(const Arguments& arguments, std::string_view script, Cancellation& cancellation) {
  auto source = target_of(arguments.source);
  if (!source) return report(source.error());
  auto destination = target_of(arguments.destination);
  if (!destination) return report(destination.error());
  StandardOutput out(cancellation);
  const auto rows = migrate({*source, *destination, arguments.table, script, arguments.read_only}, cancellation, out);
  out.write(count_of(static_cast<int64_t>(rows), "row") + "\n");
  return 0;
}

int run_query(const Arguments& arguments, std::string_view script, Cancellation& cancellation) {
  const auto target = target_of(arguments.source);
  if (!target) return report(target.error());
  ResultPrinter result(arguments.format);
  if (const auto* sqlite = std::get_if<SqliteTarget>(&*target)) {
    run_sqlite_script(*sqlite, {script, arguments.read_only, arguments.generated}, cancellation, result);
  } else {
    run_postgres_script(std::get<PostgresTarget>(*target), {script, arguments.read_only, arguments.generated},
                        cancellation, result);
  }
  FAILPOINT("jrunner.script.done");
  StandardOutput out(cancellation);
  result.print(out);
  return 0;
}

int execute(const Arguments& arguments) {
  const auto script = read_script(arguments.sql_file);
  if (!script) return report(script.error());
  const auto text = without_byte_order_mark(*script);
  Cancellation cancellation;
  cancellation.take_signals();
  return arguments.mode == Mode::kMigration ? run_migration(arguments, text, cancellation)
                                            : run_query(arguments, text, cancellation);
}

int print(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace

int run(const std::vector<std::string>& args) {
  const auto arguments = parse_arguments(args, environment);
  if (!arguments) return report(arguments.error());
  if (arguments->mode == Mode::kHelp) return print(usage());
  if (arguments->mode == Mode::kVersion) return print("pipekit-jrunner " PIPEKIT_VERSION "\n");
  try {
    return execute(*arguments);
  } catch (const Failure& failure) {
    return report(failure.error());
  } catch (const Interrupted& interrupted) {
    return report_interruption(interrupted.reason());
  } catch (const std::exception& fault) {
    return report({ErrorCode::kUnexpected, fault.what()});
  }
}

}  // namespace pipekit::jrunner
