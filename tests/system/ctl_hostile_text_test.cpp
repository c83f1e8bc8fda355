// Whatever a broker, a database or a peer puts into a text: no verb of pipekit-ctl lets it act on a terminal. Every
// verb is asked, in every format, of a broker that puts control characters into each text, each key and each error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <regex>
#include <sstream>
#include <thread>

#include "ctl/verb.h"
#include "shared/channel.h"
#include "shared/clock.h"
#include "shared/poller.h"
#include "shared/terminal_text.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

using test::TempDir;
using testing::HasSubstr;

constexpr std::chrono::seconds kPatience{90};  // where many tests share a machine

// A window title, a clear screen, a blinking colour, the one-byte CSI, directions of text, other line breaks, an
// invisible byte order mark, a tab, a carriage return, and the beginning of a formula.
const std::string kHostile =
    "=x\x1b]0;t\x07\x1b[2J\x1b[5m\xC2\x9B"
    "31m\xE2\x80\xAE\xE2\x81\xA6\xD8\x9C\xE2\x80\xA8\xE2\x80\xA9\xC2\x85\xE2\x80\x8B\xEF\xBB\xBF\x7F\ty\rz\r\n--- more";

Json hostile_object(int depth = 2) {
  Json object = {{kHostile, kHostile}};
  for (const auto* name : {"name",
                           "module_name",
                           "status",
                           "worker",
                           "error",
                           "error_code",
                           "triggered_by",
                           "queued_at",
                           "started_at",
                           "finished_at",
                           "group_name",
                           "note",
                           "step",
                           "state",
                           "outcome",
                           "host",
                           "tags",
                           "version",
                           "seen_at",
                           "driver",
                           "jdbc_url",
                           "username",
                           "key",
                           "value",
                           "default",
                           "description",
                           "about",
                           "who",
                           "verb",
                           "object",
                           "at",
                           "text",
                           "hint",
                           "code",
                           "hook_log",
                           "jrunner_stdout",
                           "jrunner_stderr",
                           "resolved_source_sql",
                           "merge_sql",
                           "source_sql",
                           "watermark_values_json",
                           "role",
                           "public_key",
                           "created_at",
                           "created_by",
                           "cron_expr",
                           "timezone",
                           "misfire",
                           "reason",
                           "nominal_at",
                           "group",
                           "source_connection",
                           "dest_connection",
                           "merge_strategy",
                           "last_status",
                           "last_error_code",
                           "last_error",
                           "line",
                           "stream",
                           "ts",
                           "kind",
                           "store",
                           "resolver_sql",
                           "sql",
                           "run_on",
                           "store_id",
                           "last_finished_at",
                           "removed",
                           "connection",
                           "module"}) {
    object[name] = kHostile;
  }
  object.update({{"id", 7}, {"run_id", 7}, {"group_run_id", 7}, {"seq", 1}, {"next", 0}, {"done", true}, {"busy", 0}});
  object["watermark_values_json"] = Json{{kHostile, kHostile}}.dump();
  object["columns"] = Json::array({kHostile, "b"});
  object["rows"] = Json::array({Json::array({kHostile, kHostile})});
  object["cancelled"] = Json::array({kHostile});
  object["changes"] = Json::array(
      {{{"action", "update"}, {"kind", kHostile}, {"name", kHostile}, {"fields", {{kHostile, {{"from", kHostile}}}}}},
       {{"action", "remove"}, {"kind", kHostile}, {"name", kHostile}}});
  if (depth == 0) return object;
  if (depth == 1) {
    object["steps"] = Json::array({hostile_object(0)});
    return object;
  }
  const auto inner = hostile_object(depth - 1);
  object["broker"] = inner;
  for (const auto* list : {"reasons", "members", "schedules", "attempts", "steps", "workers", "modules", "groups",
                           "live", "lines", "watermarks", "hooks"}) {
    object[list] = Json::array({inner});
  }
  return object;
}

std::vector<Event> hostile_events() {
  std::vector<Event> events;
  for (const auto* kind : {"run.queued", "run.step", "run.progress", "run.finished", "group_run.finished",
                           "worker.drained", "worker.lost"}) {
    Event event;
    event.seq = static_cast<int64_t>(events.size()) + 1;
    event.ts = 1'700'000'000'000;
    event.kind = kind;
    event.run_id = 7;
    event.group_run_id = 7;
    event.module_name = kHostile;
    event.worker = kHostile;
    event.fields = hostile_object(0);
    events.push_back(std::move(event));
  }
  events[4].run_id.reset();
  return events;
}

class HostileBroker {
 public:
  explicit HostileBroker(const TempDir& dir)
      : stop_(eventfd(0, 0)),
        socket_(context_, "ipc://" + dir.file("control.sock"), 1000),
        thread_([this] { serve(); }) {}
  ~HostileBroker() {
    const uint64_t one = 1;
    EXPECT_EQ(::write(stop_, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    thread_.join();
    ::close(stop_);
  }
  HostileBroker(const HostileBroker&) = delete;
  HostileBroker& operator=(const HostileBroker&) = delete;

  std::atomic<bool> refuses = false;

 private:
  void serve() {
    const SystemClock clock;
    Poller poller;
    const auto stop = poller.add(stop_);
    poller.add(socket_.socket());
    for (;;) {
      while (auto received = socket_.try_receive()) {
        const auto message = decode_client_to_broker(received->frames.head, received->frames.body);
        if (message) socket_.send(received->peer, encode(answer(*message)));
      }
      poller.wait_until(std::nullopt, clock);
      if (poller.readable(stop)) return;
    }
  }

  BrokerToClient answer(const ClientToBroker& message) const {
    if (const auto* tail = std::get_if<TailRequest>(&message)) {
      TailReply reply;
      reply.number = tail->number;
      reply.events = hostile_events();
      reply.logs = {{8, 1'700'000'000'000, 7, std::nullopt, kHostile, kHostile, {{false, kHostile}, {true, kHostile}}}};
      reply.next = reply.last = 9;
      return reply;
    }
    const auto& request = std::get<Request>(message);
    if (refuses) return Reply{request.number, WireError{"not_found", kHostile + "\n" + kHostile, kHostile}, Json()};
    if (request.verb == "schedule.next") return Reply{request.number, std::nullopt, Json::array({kHostile})};
    const bool list = request.verb.ends_with("list") || request.verb == "schedule.audit";
    return Reply{request.number, std::nullopt, list ? Json::array({hostile_object()}) : hostile_object()};
  }

  int stop_;
  zmq::context_t context_;
  RouterSocket socket_;
  std::thread thread_;
};

// Verbs that ask no broker, or start one.
bool is_local(const std::string& path) {
  return path == "up" || path == "keys new" || path == "keys show" || path.starts_with("config") || path == "help" ||
         path == "version" || path == "completion";
}

class HostileText : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> words_of(const ctl::Verb& verb) const {
    std::istringstream path(verb.path);
    std::vector<std::string> words(std::istream_iterator<std::string>(path), {});
    for (const auto& positional : verb.positionals) words.push_back(positional.name == "NAME" ? "w1" : "7");
    for (const auto& flag : verb.flags) {
      if (flag.name == "watch" || flag.name == "yes" || flag.name == "wait" || flag.name == "no-follow") {
        words.push_back("--" + flag.name);
      }
      if (flag.name == "file" && flag.type == ctl::Flag::Type::list) words.insert(words.end(), {"-f", file_});
      if (flag.name == "module" && verb.path.find(' ') != std::string::npos && !verb.path.starts_with("runs") &&
          !verb.path.starts_with("events")) {
        words.insert(words.end(), {"--module", "m"});
      }
      if (flag.name == "run-order" || flag.name == "every-s") words.insert(words.end(), {"--" + flag.name, "9"});
      if (flag.name == "rename" || (flag.name == "sql" && verb.path == "hook update")) {
        words.insert(words.end(), {"--" + flag.name, "n"});
      }
    }
    return words;
  }
  [[nodiscard]] std::string program(const std::vector<std::string>& words) const {
    std::string line = test::program_path("pipekit-ctl") + " --timeout 60 --data-dir " + dir_.path().string();
    for (const auto& word : words) line += " '" + word + "'";
    return line;
  }
  [[nodiscard]] static test::ProgramResult shell(const std::string& line) {
    return test::run_program("/bin/bash", {"-c", line},
                             {{"PIPEKIT_OUTPUT", "TERM=xterm", "NO_COLOR", "TZ=UTC"}, "", {}, kPatience});
  }

  TempDir dir_;
  std::string file_ = dir_.write("defs.yaml", "groups: [{name: g}]\n");
};

// The characters that act, of a text in which newlines, and those that `allowed` has, do not.
std::string acting(std::string text, std::string_view allowed = "") {
  std::string found;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto character = front_of(rest);
    const bool fine = character.valid && (rest[0] == '\n' || allowed.find(rest[0]) != std::string_view::npos);
    if (!fine && (!character.valid || acts_on_terminal(character.value))) found += escape_of(character.value);
    rest.remove_prefix(character.bytes);
  }
  return found;
}

// The cells of a CSV text, without their quotes.
std::vector<std::string> cells_of(std::string_view csv) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : csv) {
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == ',' || c == '\n')) {
      cells.emplace_back();
    } else if (c != '"') {
      cells.back() += c;
    }
  }
  return cells;
}

std::string without(const std::string& text, const char* pattern) {
  return std::regex_replace(text, std::regex(pattern), "");
}

TEST_F(HostileText, of_no_answer_acts_on_a_terminal_in_any_format) {
  HostileBroker broker(dir_);
  const std::map<std::string, std::string> formats = {{"table", ""}, {"json", ""}, {"yaml", ""}, {"csv", "\t\r"}};
  for (const auto& verb : ctl::all_verbs()) {
    if (is_local(verb.path)) continue;
    for (const auto& [format, allowed] : formats) {
      auto words = words_of(verb);
      words.insert(words.end(), {"-o", format});
      const auto result = shell(program(words));
      if (verb.path == "export" && format == "csv") continue;
      EXPECT_NE(result.exit_code, 2) << verb.path << result.err;
      EXPECT_FALSE(result.out.empty() && result.err.empty()) << verb.path;
      const bool tabs = verb.path == "runs logs" || format == "csv";
      EXPECT_EQ(acting(format == "csv" ? without(result.out, "\r(?=\n)") : result.out, tabs ? "\t" : ""), "")
          << verb.path << " -o " << format;
      EXPECT_EQ(acting(result.err), "") << verb.path << " -o " << format;
      if (format == "csv") {
        for (const auto& cell : cells_of(result.out)) EXPECT_FALSE(cell.starts_with("=")) << verb.path;
      }
    }
  }
}

TEST_F(HostileText, of_no_error_acts_on_a_terminal) {
  HostileBroker broker(dir_);
  broker.refuses = true;
  for (const auto& verb : ctl::all_verbs()) {
    if (is_local(verb.path)) continue;
    for (const auto* format : {"table", "json"}) {
      auto words = words_of(verb);
      words.insert(words.end(), {"-o", format});
      const auto result = shell(program(words));
      EXPECT_EQ(acting(result.out + result.err), "") << verb.path << " -o " << format;
    }
  }
}

// What script(1) records of a terminal, less what is pipekit-ctl's own: colours, the live line, ends of lines.
TEST_F(HostileText, on_a_terminal_only_our_own_colours_are_left) {
  HostileBroker broker(dir_);
  for (const auto& verb : ctl::all_verbs()) {
    if (is_local(verb.path)) continue;
    const auto result = shell("script -qec \"" + program(words_of(verb)) + "\" /dev/null < /dev/null");
    const auto text = without(result.out, "\x1b\\[(0|1|2|31|32|33|36)m|\r\x1b\\[K|\r(?=\n)");
    EXPECT_EQ(acting(text), "") << verb.path;
  }
}

TEST_F(HostileText, comes_back_from_json_as_it_was) {
  HostileBroker broker(dir_);
  const auto shown = shell(program({"runs", "show", "7", "-o", "json"}));
  EXPECT_EQ(Json::parse(shown.out), hostile_object());
  EXPECT_THAT(shown.out, HasSubstr("\\u001b]0;t\\u0007"));
  EXPECT_THAT(shown.out, HasSubstr("\\u202e"));
}

TEST_F(HostileText, of_a_log_is_raw_only_where_that_is_asked_for) {
  HostileBroker broker(dir_);
  EXPECT_THAT(shell(program({"runs", "logs", "7"})).out, HasSubstr("\\u001b]0;t\\u0007"));
  EXPECT_THAT(shell(program({"runs", "logs", "7", "--raw"})).out, HasSubstr("\x1b]0;t\x07"));
  EXPECT_EQ(shell(program({"runs", "logs", "7", "--raw", "-o", "json"})).exit_code, 2);
}

TEST_F(HostileText, of_the_command_line_is_shown_as_escapes) {
  HostileBroker broker(dir_);
  for (const auto& words : std::vector<std::vector<std::string>>{{"run", "x", kHostile},
                                                                 {kHostile},
                                                                 {"--" + kHostile},
                                                                 {"-o", kHostile, "status"},
                                                                 {"config", "validate", kHostile}}) {
    const auto result = shell(program(words));
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(acting(result.err), "");
  }
}

}  // namespace
}  // namespace pipekit
