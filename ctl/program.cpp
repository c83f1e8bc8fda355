#include "ctl/program.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstring>
#include <exception>

#include "ctl/command_line.h"
#include "ctl/config.h"
#include "ctl/context.h"
#include "ctl/verbs_completion.h"
#include "shared/log_format.h"
#include "shared/say.h"

namespace pipekit::ctl {
namespace {

// The format of errors, also when the command line itself is wrong.
bool wants_json(const std::vector<std::string>& args) {
  bool json = process_environment()("PIPEKIT_OUTPUT").value_or("") == "json";
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "-ojson" || args[i] == "--output=json") json = true;
    if ((args[i] == "-o" || args[i] == "--output") && i + 1 < args.size()) json = args[i + 1] == "json";
  }
  return json;
}

void tell(const Error& error, bool json) {
  if (json) {
    Json body = {{"code", to_string(error.code)}, {"message", error.message}};
    if (!error.hint.empty()) body["hint"] = error.hint;
    say(render_json_line({{"error", std::move(body)}}));
    return;
  }
  // A message may have several lines, one a problem.
  say(fmt::format("error: {}\n", error.message));
  if (!error.hint.empty()) say(fmt::format("hint: {}\n", error.hint));
}

Result<void> open_log(const Config& config) {
  try {
    auto logger = config.log_file.empty() ? spdlog::stderr_logger_st("pipekit-ctl")
                                          : spdlog::basic_logger_st("pipekit-ctl", config.log_file);
    logger->set_formatter(log_formatter());
    logger->set_level(config.verbose ? spdlog::level::debug : spdlog::level::from_str(config.log_level));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    return {};
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::kUsage, fmt::format("cannot write the log file {}: {}", config.log_file, error.what())};
  }
}

Result<int> run(const std::vector<std::string>& args, Output& out, bool& json) {
  const auto verbs = all_verbs();
  if (args.size() > 1 && args[0] == "complete" && args[1] == "--") {
    return print_completions(verbs, {args.begin() + 2, args.end()}, out);
  }
  const auto invocation = parse_command_line(verbs, args);
  if (!invocation) return invocation.error();
  if (invocation->verb == nullptr) {
    out.write(invocation->text);
    return 0;
  }
  const auto config = resolve_config(invocation->global, process_environment());
  if (!config) return config.error();
  json = config->format == Format::json;
  if (auto opened = open_log(*config); !opened) return opened.error();
  const SystemClock clock;
  Context context{*config, out, clock};
  return invocation->verb->run(context, invocation->arguments);
}

int fail(const Error& error, bool json) {
  tell(error, json);
  return exit_code(error.code);
}

}  // namespace

int run_program(const std::vector<std::string>& args) {
  signal(SIGPIPE, SIG_IGN);  // a write fails instead
  bool json = wants_json(args);
  try {
    Output out;
    const auto code = run(args, out, json);
    if (!code) return fail(code.error(), json);
    if (!out.error()) return *code;
    const int lost =
        fail({ErrorCode::kUnexpected, fmt::format("cannot write to stdout: {}", std::strerror(*out.error())),
              "the output is incomplete"},
             json);
    return *code == 0 ? lost : *code;
  } catch (const std::exception& fault) {
    return fail({ErrorCode::kUnexpected, fault.what()}, json);
  }
}

}  // namespace pipekit::ctl
