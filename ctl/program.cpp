#include "ctl/program.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>

#include "ctl/command_line.h"
#include "ctl/config.h"
#include "ctl/context.h"
#include "ctl/verbs_completion.h"
#include "ctl/width.h"
#include "shared/say.h"

namespace pipekit::ctl {
namespace {

// The format that errors are told in, also when the command line itself is wrong.
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
    logger->set_level(config.verbose ? spdlog::level::debug : spdlog::level::from_str(config.log_level));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    return {};
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::kUsage, fmt::format("cannot write the log file {}: {}", config.log_file, error.what())};
  }
}

Result<int> run(const std::vector<std::string>& args, bool& json) {
  const auto verbs = all_verbs();
  if (args.size() > 1 && args[0] == "complete" && args[1] == "--") {
    Output out;
    return print_completions(verbs, {args.begin() + 2, args.end()}, out);
  }
  const auto invocation = parse_command_line(verbs, args);
  if (!invocation) return invocation.error();
  Output out;
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

}  // namespace

int run_program(const std::vector<std::string>& args) {
  signal(SIGPIPE, SIG_IGN);
  bool json = wants_json(args);
  try {
    const auto code = run(args, json);
    if (code) return *code;
    tell(code.error(), json);
    return exit_code(code.error().code);
  } catch (const ClosedOutput&) {
    return 0;
  } catch (const std::exception& fault) {
    tell({ErrorCode::kUnexpected, fault.what()}, json);
    return exit_code(ErrorCode::kUnexpected);
  }
}

}  // namespace pipekit::ctl
