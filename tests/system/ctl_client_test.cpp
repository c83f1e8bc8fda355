// pipekit-ctl with a broker that the test plays: what is sent, sent again, dropped and printed, and the exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <optional>
#include <stdexcept>

#include "shared/channel.h"
#include "shared/clock.h"
#include "shared/poller.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

using test::ProgramResult;
using test::RunningProgram;
using test::TempDir;
using testing::HasSubstr;
using testing::Not;

constexpr std::chrono::seconds kPatience{20};

// The broker's side of the control socket, one message at a time.
class FakeBroker {
 public:
  explicit FakeBroker(const TempDir& dir) : endpoint_("ipc://" + dir.file("control.sock")) { start(); }

  void start() { socket_.emplace(context_.emplace(1), endpoint_, 1000); }
  // Waits until nothing of it is left, as after a process has ended: a socket that closes later would remove the next
  // socket's file.
  void stop() {
    socket_.reset();
    context_.reset();
  }

  Request expect_request(const std::string& verb) {
    auto message = expect();
    auto* request = std::get_if<Request>(&message);
    if (request == nullptr || request->verb != verb) throw std::runtime_error("not the request " + verb);
    return std::move(*request);
  }

  TailRequest expect_tail() {
    auto message = expect();
    auto* request = std::get_if<TailRequest>(&message);
    if (request == nullptr) throw std::runtime_error("not a tail request");
    return std::move(*request);
  }

  void answer(const BrokerToClient& message) { socket_->send(peer_, encode(message)); }
  void answer(int64_t number, Json body) { answer(Reply{number, std::nullopt, std::move(body)}); }
  void refuse(int64_t number, WireError error, Json body = Json()) {
    answer(Reply{number, std::move(error), std::move(body)});
  }
  void answer_raw(const Frames& frames) { socket_->send(peer_, frames); }

  [[nodiscard]] const std::string& peer() const { return peer_; }
  // For what is not to come, as far as so short a time can show.
  bool hears_within(Millis time) {
    const auto until = clock_.now() + time;
    while (clock_.now() < until) {
      if (socket_->try_receive()) return true;
      Poller poller;
      poller.add(socket_->socket());
      poller.wait_until(until, clock_);
    }
    return false;
  }

 private:
  ClientToBroker expect() {
    const auto until = clock_.now() + kPatience;
    while (clock_.now() < until) {
      if (auto received = socket_->try_receive()) {
        peer_ = received->peer;
        auto message = decode_client_to_broker(received->frames.head, received->frames.body);
        if (!message) throw std::runtime_error(message.error().message);
        return std::move(*message);
      }
      Poller poller;
      poller.add(socket_->socket());
      poller.wait_until(until, clock_);
    }
    throw std::runtime_error("nothing was sent");
  }

  SystemClock clock_;
  std::optional<zmq::context_t> context_;
  std::string endpoint_;
  std::optional<RouterSocket> socket_;
  std::string peer_;
};

class CtlClient : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> with_dir(std::vector<std::string> args) const {
    args.insert(args.begin(), {"--data-dir", dir_.path().string()});
    return args;
  }
  [[nodiscard]] RunningProgram ctl(std::vector<std::string> args) const {
    return {test::program_path("pipekit-ctl"), with_dir(std::move(args)), clean()};
  }
  [[nodiscard]] ProgramResult run(std::vector<std::string> args) const {
    return test::run_program(test::program_path("pipekit-ctl"), with_dir(std::move(args)), clean());
  }
  [[nodiscard]] static test::ProgramOptions clean() {
    return {
        {"PIPEKIT_OUTPUT", "PIPEKIT_BROKER", "PIPEKIT_CONFIG", "PIPEKIT_TIMEOUT", "PIPEKIT_QUIET"}, "", {}, kPatience};
  }

  TempDir dir_;
};

Event event(int64_t seq, const std::string& kind, Json fields = Json::object(), int64_t run = 7) {
  Event made;
  made.seq = seq;
  made.ts = 1'700'000'000'000 + seq;
  made.kind = kind;
  made.run_id = run;
  made.module_name = "orders";
  made.fields = std::move(fields);
  return made;
}

TailReply tail_reply(const TailRequest& request, std::vector<Event> events) {
  TailReply reply;
  reply.number = request.number;
  reply.next = events.empty() ? request.after : events.back().seq;
  reply.last = reply.next;
  reply.events = std::move(events);
  return reply;
}

std::vector<int64_t> numbers_in(const std::string& json_lines) {
  std::vector<int64_t> numbers;
  std::istringstream lines(json_lines);
  for (std::string line; std::getline(lines, line);) numbers.push_back(Json::parse(line)["seq"]);
  return numbers;
}

// --- requests

TEST_F(CtlClient, a_lost_reply_is_asked_for_again_under_the_same_number) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"run", "orders"});
  const auto first = broker.expect_request("run");
  const auto first_peer = broker.peer();
  EXPECT_EQ(first.age_ms < 1000, true);
  const auto second = broker.expect_request("run");
  EXPECT_EQ(second.client, first.client);
  EXPECT_EQ(second.number, first.number);
  EXPECT_EQ(second.args, first.args);
  EXPECT_GE(second.age_ms, 2000);
  EXPECT_EQ(broker.peer(), first_peer) << "the connection is there";
  broker.answer(second.number, {{"run_id", 7}, {"seq", 1}});
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "7\n");
  EXPECT_THAT(result.err, HasSubstr("waiting for the answer of the broker"));
}

TEST_F(CtlClient, a_connection_of_which_nothing_is_heard_is_replaced) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"run", "orders"});
  const auto first = broker.expect_request("run");
  const auto first_peer = broker.peer();
  auto again = broker.expect_request("run");
  for (int i = 0; i < 3 && broker.peer() == first_peer; ++i) again = broker.expect_request("run");
  EXPECT_NE(broker.peer(), first_peer);
  EXPECT_EQ(again.number, first.number);
  EXPECT_GE(again.age_ms, 6000);
  broker.answer(again.number, {{"run_id", 7}, {"seq", 1}});
  EXPECT_EQ(ctl.wait().out, "7\n");
}

TEST_F(CtlClient, a_broker_that_is_still_at_it_is_neither_asked_again_nor_given_up) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"--timeout", "1", "-o", "json", "export"});
  const auto first = broker.expect_request("export");
  const auto peer = broker.peer();
  for (int second = 0; second < 11; ++second) {
    broker.answer(Reply{0, std::nullopt, {{"under_way", first.number}}});
    EXPECT_FALSE(broker.hears_within(std::chrono::seconds{1})) << "second " << second;
  }
  EXPECT_EQ(broker.peer(), peer);
  broker.answer(first.number, {{"modules", Json::array()}});
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(CtlClient, answers_to_other_numbers_are_dropped) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "run", "orders"});
  const auto request = broker.expect_request("run");
  broker.answer(request.number - 1, {{"run_id", 1}});
  broker.answer(request.number + 1, {{"run_id", 2}});
  broker.answer(tail_reply({}, {}));
  broker.answer(request.number, {{"run_id", 7}, {"seq", 1}});
  const auto result = ctl.wait();
  EXPECT_EQ(Json::parse(result.out), (Json{{"run_id", 7}}));
}

TEST_F(CtlClient, a_broker_that_leaves_is_waited_for_and_asked_the_same) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"run", "orders"});
  const auto first = broker.expect_request("run");
  broker.answer(BrokerLeaving{});
  broker.stop();
  broker.start();
  const auto second = broker.expect_request("run");
  EXPECT_EQ(second.client, first.client);
  EXPECT_EQ(second.number, first.number);
  broker.answer(second.number, {{"run_id", 7}, {"seq", 1}});
  EXPECT_EQ(ctl.wait().out, "7\n");
}

TEST_F(CtlClient, a_broker_that_says_later_is_asked_the_same_later) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"run", "orders"});
  const auto first = broker.expect_request("run");
  broker.refuse(first.number, {"overloaded", "too much", "wait"}, {{"retry_after_ms", 60}});
  const auto second = broker.expect_request("run");
  EXPECT_EQ(second.number, first.number);
  EXPECT_EQ(second.client, first.client);
  EXPECT_GE(second.age_ms, 60);
  broker.answer(second.number, {{"run_id", 7}, {"seq", 1}});
  EXPECT_EQ(ctl.wait().out, "7\n");
}

TEST_F(CtlClient, a_broker_that_only_says_later_is_given_up_with_its_words) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"--timeout", "1", "run", "orders"});
  const auto request = broker.expect_request("run");
  broker.refuse(request.number, {"overloaded", "too much", "wait"}, {{"retry_after_ms", "soon"}});
  broker.refuse(request.number, {"overloaded", "too much", "wait"}, {{"retry_after_ms", 60'000}});
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("too much"));
}

TEST_F(CtlClient, a_tail_that_is_one_too_many_is_asked_for_later) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "events", "tail", "--since", "5"});
  broker.refuse(broker.expect_tail().number, {"overloaded", "too many tails", ""}, {{"retry_after_ms", 60}});
  const auto again = broker.expect_tail();
  EXPECT_EQ(again.after, 5);
  broker.answer(tail_reply(again, {event(6, "run.queued")}));
  broker.expect_tail();
  ctl.signal(SIGINT);
  EXPECT_THAT(numbers_in(ctl.wait().out), testing::ElementsAre(6));
}

TEST_F(CtlClient, a_broker_that_starts_within_the_timeout_is_found) {
  auto ctl = this->ctl({"-v", "module", "list", "-o", "json"});
  FakeBroker broker(dir_);
  broker.answer(broker.expect_request("module.list").number, Json::array());
  EXPECT_EQ(ctl.wait().out, "[]\n");
}

TEST_F(CtlClient, no_broker_is_exit_5_and_says_where_it_was_looked_for) {
  const auto result = run({"--timeout", "1", "status"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err,
              HasSubstr("error: no answer from the broker at ipc://" + dir_.file("control.sock") + " within 1 s"));
  EXPECT_THAT(result.err, HasSubstr("hint: is it running? pipekit-ctl up --data-dir"));
  const auto json = run({"--timeout", "1", "-o", "json", "events", "tail"});
  EXPECT_EQ(json.exit_code, 5);
  EXPECT_EQ(Json::parse(json.err)["error"]["code"], "unavailable");
}

TEST_F(CtlClient, who_waits_for_long_is_told_what_for_and_programs_are_not) {
  auto program = ctl({"-o", "json", "status"});
  auto quiet = ctl({"-q", "status"});
  auto people = ctl({"status"});
  people.wait_for_err("waiting for a broker at ipc://" + dir_.file("control.sock") + ", ");
  for (auto* silent : {&program, &quiet}) {
    silent->signal(SIGTERM);
    EXPECT_EQ(silent->wait().err, "");
  }
}

TEST_F(CtlClient, what_cannot_be_said_on_stderr_does_not_change_the_end) {
  FakeBroker broker(dir_);
  const auto pipekit = "PIPEKIT_DATA_DIR='" + dir_.path().string() + "' '" + test::program_path("pipekit-ctl") + "' ";
  RunningProgram closed("/bin/sh", {"-c", pipekit + "run orders 2>&-"});
  broker.expect_request("run");
  const auto again = broker.expect_request("run");  // after two seconds, when it has said what it is waiting for
  broker.answer(again.number, {{"run_id", 7}, {"seq", 1}});
  const auto result = closed.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "7\n");
  const auto full = test::run_program("/bin/sh", {"-c", pipekit + "--data-dir /nowhere status 2>/dev/full"});
  EXPECT_EQ(full.exit_code, 5);
}

TEST_F(CtlClient, a_request_that_was_sent_and_not_answered_may_have_been_executed) {
  FakeBroker broker(dir_);
  const auto result = run({"--timeout", "1", "run", "orders"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("may have been executed"));
}

TEST_F(CtlClient, a_data_directory_that_does_not_exist_is_not_waited_for) {
  const auto result = test::run_program(test::program_path("pipekit-ctl"),
                                        {"--data-dir", dir_.file("absent"), "--timeout", "60", "status"}, clean());
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("there is no data directory"));
}

TEST_F(CtlClient, another_protocol_version_is_told_at_once) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"status"});
  broker.expect_request("status");
  broker.answer_raw({std::string("\x09\x00", 2), "\x80"});
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("protocol version 9"));
}

TEST_F(CtlClient, a_frame_that_is_no_message_ends_in_an_error) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"status"});
  broker.expect_request("status");
  broker.answer_raw({std::string("\x01\x00", 2), "\xC1"});
  EXPECT_EQ(ctl.wait().exit_code, 3);
}

// --- exit codes

struct Refusal {
  const char* code;
  int exit;
};

class CtlRefusal : public CtlClient, public testing::WithParamInterface<Refusal> {};

TEST_P(CtlRefusal, has_its_exit_code_and_its_json_form) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "run", "orders"});
  const auto request = broker.expect_request("run");
  broker.refuse(request.number, {GetParam().code, "no", "do that"});
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, GetParam().exit);
  EXPECT_EQ(Json::parse(result.err),
            (Json{{"error", {{"code", GetParam().code}, {"message", "no"}, {"hint", "do that"}}}}));
  EXPECT_EQ(result.out, "");
}

INSTANTIATE_TEST_SUITE_P(Codes, CtlRefusal,
                         testing::Values(Refusal{"invalid", 3}, Refusal{"not_found", 3}, Refusal{"exists", 3},
                                         Refusal{"in_use", 3}, Refusal{"already_running", 4}, Refusal{"unavailable", 5},
                                         Refusal{"refused", 6}, Refusal{"stale_request", 5}, Refusal{"unexpected", 1}),
                         [](const auto& test) { return test.param.code; });

TEST_F(CtlClient, what_the_command_line_has_wrong_is_exit_2) {
  EXPECT_EQ(run({"statsu"}).exit_code, 2);
  EXPECT_EQ(run({"run"}).exit_code, 2);
  EXPECT_EQ(run({"-o", "xml", "status"}).exit_code, 2);
  EXPECT_EQ(run({"--config", dir_.write("c.yaml", "brokre: x\n"), "status"}).exit_code, 2);
  EXPECT_EQ(Json::parse(run({"-o", "json", "statsu"}).err)["error"]["code"], "usage");
  EXPECT_EQ(run({"--help"}).exit_code, 0);
}

TEST_F(CtlClient, a_refused_file_is_told_by_file_and_line) {
  const auto file = dir_.write("jobs.yaml", "connections:\n  - name: erp\n    driver: sqlte\n    jdbc_url: x\n");
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"apply", "-f", file});
  const auto request = broker.expect_request("apply");
  EXPECT_EQ(request.args["document"]["connections"][0]["driver"], "sqlte");
  broker.refuse(
      request.number, {"invalid", "1 problem", ""},
      {{"problems", {{{"path", "connections[0].driver"}, {"message", "there is no driver sqlte"}, {"hint", ""}}}}});
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr(file + ":3: "));
}

TEST_F(CtlClient, diff_exits_with_1_when_asked_to_and_different) {
  const auto file = dir_.write("jobs.yaml", "groups:\n  - name: nightly\n");
  const Json changes = {{{"action", "update"},
                         {"kind", "group"},
                         {"name", "nightly"},
                         {"fields", {{"stop_on_failure", {{"from", true}, {"to", false}}}}}}};
  FakeBroker broker(dir_);
  for (const bool asked : {false, true}) {
    auto ctl = this->ctl(asked ? std::vector<std::string>{"diff", "-f", file, "--exit-code"}
                               : std::vector<std::string>{"diff", "-f", file});
    broker.answer(broker.expect_request("diff").number, {{"changes", changes}, {"applied", false}});
    const auto result = ctl.wait();
    EXPECT_EQ(result.exit_code, asked ? 1 : 0);
    EXPECT_EQ(result.out, "~ group nightly\n    stop_on_failure: true -> false\n");
  }
}

// --- run --watch

ProgramResult watched(FakeBroker& broker, RunningProgram& ctl, const std::string& status) {
  const auto request = broker.expect_request("run");
  broker.answer(request.number, {{"run_id", 7}, {"seq", 10}});
  broker.answer(broker.expect_request("why").number, {{"reasons", Json::array()}});
  const auto tail = broker.expect_tail();
  EXPECT_EQ(tail.after, 9);
  EXPECT_EQ(tail.filter.run_id, 7);
  auto reply =
      tail_reply(tail, {event(10, "run.queued"), event(13, "run.finished", {{"status", status}, {"row_count", 5}})});
  LogChunk chunk;
  chunk.first_seq = 11;
  chunk.run_id = 7;
  chunk.module_name = "orders";
  chunk.lines = {{false, "5 rows"}, {true, "a warning"}};
  reply.logs = {chunk};
  broker.answer(reply);
  return ctl.wait();
}

TEST_F(CtlClient, watch_prints_the_events_and_exits_by_how_the_run_ended) {
  for (const auto& [status, exit] : std::vector<std::pair<std::string, int>>{
           {"success", 0}, {"dry_run", 0}, {"error", 4}, {"cancelled", 4}, {"a later word", 4}}) {
    FakeBroker broker(dir_);
    auto ctl = this->ctl({"-o", "json", "run", "orders", "--watch"});
    const auto result = watched(broker, ctl, status);
    EXPECT_EQ(result.exit_code, exit) << status;
    EXPECT_THAT(numbers_in(result.out), testing::ElementsAre(10, 11, 12, 13)) << result.out;
    EXPECT_THAT(result.out, testing::EndsWith("\n"));
    EXPECT_EQ(Json::parse(result.out.substr(result.out.rfind('\n', result.out.size() - 2) + 1))["kind"],
              "run.finished");
  }
}

TEST_F(CtlClient, watch_in_a_pipe_is_plain_lines) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"run", "orders", "--watch"});
  const auto result = watched(broker, ctl, "success");
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  EXPECT_THAT(result.out, HasSubstr("orders #7  | 5 rows\n"));
  EXPECT_THAT(result.out, testing::EndsWith("✔ orders  5 rows  3ms\n"));
}

TEST_F(CtlClient, an_interrupted_watch_says_that_the_run_continues) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"run", "orders", "--watch"});
  broker.answer(broker.expect_request("run").number, {{"run_id", 7}, {"seq", 10}});
  broker.answer(broker.expect_request("why").number, {{"reasons", Json::array()}});
  broker.expect_tail();
  ctl.signal(SIGINT);
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_THAT(result.err, HasSubstr("run 7 continues"));
}

// --- events tail

TEST_F(CtlClient, a_tail_without_since_begins_at_the_end) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "events", "tail"});
  auto probe = broker.expect_tail();
  EXPECT_FALSE(probe.follow);
  TailReply end;
  end.number = probe.number;
  end.next = end.last = 41;
  broker.answer(end);
  const auto tail = broker.expect_tail();
  EXPECT_TRUE(tail.follow);
  EXPECT_EQ(tail.after, 41);
  ctl.signal(SIGTERM);
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 143);
  EXPECT_EQ(result.err, "");
}

TEST_F(CtlClient, a_tail_goes_on_across_a_restart_without_gap_or_duplicate) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "events", "tail", "--since", "0"});
  broker.answer(tail_reply(broker.expect_tail(), {event(1, "run.queued"), event(2, "run.assigned")}));
  auto asked = broker.expect_tail();
  EXPECT_EQ(asked.after, 2);
  broker.answer(BrokerLeaving{});
  ctl.wait_for_err("the broker has left");
  broker.stop();
  broker.start();
  asked = broker.expect_tail();
  EXPECT_EQ(asked.after, 2);
  broker.answer(tail_reply(asked, {event(2, "run.assigned"), event(3, "run.started"), event(4, "run.finished")}));
  ctl.wait_for_err("the broker is back");
  EXPECT_EQ(broker.expect_tail().after, 4);
  ctl.signal(SIGINT);
  EXPECT_THAT(numbers_in(ctl.wait().out), testing::ElementsAre(1, 2, 3, 4));
}

TEST_F(CtlClient, a_tail_asks_again_as_soon_as_a_killed_broker_is_back) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "events", "tail", "--since", "0"});
  broker.answer(tail_reply(broker.expect_tail(), {event(1, "run.queued")}));
  broker.expect_tail();
  const auto killed = SystemClock().now();
  broker.stop();
  broker.start();
  const auto asked = broker.expect_tail();
  EXPECT_LT(SystemClock().now() - killed, std::chrono::seconds{5}) << "it waited for the silence of two beats";
  EXPECT_EQ(asked.after, 1);
  broker.answer(tail_reply(asked, {event(2, "run.finished")}));
  ctl.wait_for_err("the broker is back");
  ctl.signal(SIGINT);
  EXPECT_THAT(numbers_in(ctl.wait().out), testing::ElementsAre(1, 2));
}

TEST_F(CtlClient, a_silent_broker_is_asked_again_on_a_new_socket) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "events", "tail", "--since", "5"});
  broker.answer(tail_reply(broker.expect_tail(), {event(6, "run.queued")}));
  const auto unanswered = broker.expect_tail();
  const auto silent_peer = broker.peer();
  const auto again = broker.expect_tail();
  EXPECT_NE(broker.peer(), silent_peer);
  EXPECT_EQ(again.after, unanswered.after);
  EXPECT_GT(again.number, unanswered.number);
  broker.answer(tail_reply(unanswered, {event(7, "run.assigned")}));  // too late: the new request will be answered
  broker.answer(tail_reply(again, {event(7, "run.assigned")}));
  broker.expect_tail();
  ctl.signal(SIGINT);
  EXPECT_THAT(numbers_in(ctl.wait().out), testing::ElementsAre(6, 7));
}

TEST_F(CtlClient, without_follow_it_ends_at_what_is_committed) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "events", "tail", "--since", "0", "--no-follow", "--run", "7", "--kind",
                        "run.log", "--kind", "run.finished", "--module", "orders"});
  const auto first = broker.expect_tail();
  EXPECT_FALSE(first.follow);
  EXPECT_EQ(first.filter.run_id, 7);
  EXPECT_EQ(first.filter.module_name, "orders");
  EXPECT_THAT(first.filter.kinds, testing::ElementsAre("run.log", "run.finished"));
  auto reply = tail_reply(first, {event(1, "run.queued")});
  reply.last = 9;
  broker.answer(reply);
  const auto second = broker.expect_tail();
  EXPECT_EQ(second.after, 1);
  TailReply rest;  // a range without matches
  rest.number = second.number;
  rest.next = 5;
  rest.last = 9;
  broker.answer(rest);
  const auto third = broker.expect_tail();
  EXPECT_EQ(third.after, 5);
  broker.answer(tail_reply(third, {event(9, "run.finished")}));
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(numbers_in(result.out), testing::ElementsAre(1, 9));
}

TEST_F(CtlClient, a_reader_that_is_gone_ends_a_waiting_tail_quietly) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"events", "tail", "--since", "0"});
  broker.answer(tail_reply(broker.expect_tail(), {event(1, "run.queued")}));
  ctl.wait_for_out("run.queued");
  broker.expect_tail();
  ctl.close_out();
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
}

TEST_F(CtlClient, a_reader_that_is_gone_ends_a_list_quietly) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "module", "list"});
  const auto request = broker.expect_request("module.list");
  ctl.close_out();
  broker.answer(request.number, Json::array());
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
}

// What `run bad --watch | head -1` leaves: nobody reads when the run ends.
TEST_F(CtlClient, a_watch_tells_the_outcome_by_its_exit_code_also_when_nobody_reads) {
  for (const auto* format : {"table", "json"}) {
    for (const auto& [status, code] : {std::pair{"error", 4}, std::pair{"success", 0}}) {
      FakeBroker broker(dir_);
      auto ctl = this->ctl({"-q", "-o", format, "run", "bad", "--watch"});
      const auto request = broker.expect_request("run");
      ctl.close_out();
      broker.answer(request.number, {{"run_id", 7}, {"seq", 1}});
      auto tail = broker.expect_tail();
      broker.answer(tail_reply(tail, {event(2, "run.started")}));
      tail = broker.expect_tail();
      broker.answer(tail_reply(tail, {event(3, "run.finished", {{"status", status}})}));
      const auto result = ctl.wait();
      EXPECT_EQ(result.exit_code, code) << format;
      EXPECT_EQ(result.err, "");
    }
  }
}

TEST_F(CtlClient, a_reader_that_goes_while_a_run_is_watched_does_not_end_the_watch) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-o", "json", "run-group", "g", "--watch"});
  broker.answer(broker.expect_request("run_group").number, {{"group_run_id", 5}, {"seq", 1}});
  broker.answer(broker.expect_request("why").number, {{"reasons", Json::array()}});
  broker.answer(tail_reply(broker.expect_tail(), {event(2, "run.queued")}));
  ctl.wait_for_out("run.queued");
  const auto tail = broker.expect_tail();
  ctl.close_out();
  broker.answer(
      tail_reply(tail, {event(3, "run.progress"), event(4, "group_run.finished", {{"status", "cancelled"}})}));
  EXPECT_EQ(ctl.wait().exit_code, 4);
}

TEST_F(CtlClient, a_full_disk_under_stdout_is_an_error_and_does_not_hide_the_outcome) {
  const auto pipekit = "exec " + test::program_path("pipekit-ctl") + " --data-dir " + dir_.path().string();
  FakeBroker broker(dir_);
  RunningProgram list("/bin/sh", {"-c", pipekit + " -o csv module list > /dev/full"}, clean());
  broker.answer(broker.expect_request("module.list").number, Json::array());
  const auto listed = list.wait();
  EXPECT_EQ(listed.exit_code, 1);
  EXPECT_THAT(listed.err, HasSubstr("error: cannot write to stdout: No space left on device"));
  RunningProgram watch("/bin/sh", {"-c", pipekit + " -q run bad --watch > /dev/full"}, clean());
  broker.answer(broker.expect_request("run").number, {{"run_id", 7}, {"seq", 1}});
  broker.answer(tail_reply(broker.expect_tail(), {event(2, "run.finished", {{"status", "error"}})}));
  const auto watched = watch.wait();
  EXPECT_EQ(watched.exit_code, 4);
  EXPECT_THAT(watched.err, HasSubstr("cannot write to stdout"));
}

TEST_F(CtlClient, quiet_leaves_of_a_watch_only_how_it_ended) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-q", "run", "orders", "--watch"});
  broker.answer(broker.expect_request("run").number, {{"run_id", 7}, {"seq", 1}});
  broker.answer(
      tail_reply(broker.expect_tail(),
                 {event(2, "run.started"), event(3, "run.step", {{"step", "merge"}}),
                  event(4, "run.finished", {{"status", "success"}, {"row_count", 3}, {"duration_ms", 3200}})}));
  const auto result = ctl.wait();
  EXPECT_EQ(result.out, "7\n✔ orders  3 rows  3.2s\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(CtlClient, a_success_with_a_failed_hook_says_so_when_it_is_watched) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"-q", "run", "orders", "--watch"});
  broker.answer(broker.expect_request("run").number, {{"run_id", 7}, {"seq", 1}});
  broker.answer(
      tail_reply(broker.expect_tail(), {event(4, "run.finished", {{"status", "success"}, {"hooks_failed", 1}})}));
  EXPECT_THAT(ctl.wait().out, HasSubstr("✔ orders  success, 1 hook failed"));
}

// --- names and IDs

TEST_F(CtlClient, an_id_given_by_a_flag_becomes_the_name_that_a_definition_needs) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"group", "add", "g", "--member", "2", "--member", "orders", "--member", "9"});
  auto asked = broker.expect_request("module.show");
  EXPECT_EQ(asked.args["name"], "2");
  broker.answer(asked.number, {{"id", 2}, {"name", "customers"}});
  asked = broker.expect_request("module.show");
  broker.refuse(asked.number, {"not_found", "there is no module '9'", ""});
  const auto added = broker.expect_request("group.add");
  EXPECT_EQ(added.args["members"][0]["module"], "customers");
  EXPECT_EQ(added.args["members"][1]["module"], "orders");
  EXPECT_EQ(added.args["members"][2]["module"], "9") << "the broker says what is wrong with it";
  broker.answer(added.number, {{"name", "g"}});
  EXPECT_EQ(ctl.wait().exit_code, 0);
}

TEST_F(CtlClient, a_number_in_a_definition_file_is_sent_as_the_name_it_is) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"group", "add", "g", "-f", dir_.write("g.yaml", "members: ['2']\n")});
  const auto added = broker.expect_request("group.add");
  EXPECT_EQ(added.args["members"][0]["module"], "2");
  broker.answer(added.number, {{"name", "g"}});
  EXPECT_EQ(ctl.wait().exit_code, 0);
}

// --- removing

TEST_F(CtlClient, nothing_is_removed_without_yes_where_nobody_can_be_asked) {
  FakeBroker broker(dir_);
  auto module = this->ctl({"module", "remove", "orders"});
  broker.answer(broker.expect_request("module.show").number,
                {{"name", "orders"}, {"watermarks", {{{"name", "w"}}}}, {"hooks", {{{"id", 1}}, {{"id", 2}}}}});
  auto result = module.wait();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("would be removed:\n  module orders, with 1 watermark and 2 hooks\n"));
  EXPECT_THAT(result.err, HasSubstr("--yes"));
  EXPECT_EQ(run({"schedule", "remove", "3"}).exit_code, 2);
  EXPECT_EQ(run({"watermark", "remove", "w", "--module", "m"}).exit_code, 2);
  const auto file = dir_.write("defs.yaml", "groups: [{name: g}]\n");
  auto apply = this->ctl({"apply", "-f", file, "--prune"});
  const auto asked = broker.expect_request("apply");
  EXPECT_EQ(asked.args["dry_run"], true);
  broker.answer(asked.number, {{"changes",
                                {{{"action", "add"}, {"kind", "group"}, {"name", "g"}},
                                 {{"action", "remove"}, {"kind", "module"}, {"name", "old"}}}}});
  result = apply.wait();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("would be removed:\n  module old\n"));
}

TEST_F(CtlClient, a_prune_that_removes_nothing_needs_no_yes_and_counts_what_it_did) {
  FakeBroker broker(dir_);
  const auto file = dir_.write("defs.yaml", "groups: [{name: g}]\n");
  auto apply = this->ctl({"apply", "-f", file, "--prune"});
  const Json changes = {{{"action", "add"}, {"kind", "group"}, {"name", "g"}},
                        {{"action", "unchanged"}, {"kind", "module"}, {"name", "m"}}};
  broker.answer(broker.expect_request("apply").number, {{"changes", changes}});
  const auto second = broker.expect_request("apply");
  EXPECT_EQ(second.args["dry_run"], false);
  broker.answer(second.number, {{"applied", true}, {"changes", changes}});
  const auto result = apply.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "1 added, 0 changed, 0 removed, 1 unchanged\n");
}

TEST_F(CtlClient, on_a_terminal_the_question_lists_what_will_be_removed) {
  for (const auto& [answer, removes] : {std::pair{"y", true}, std::pair{"n", false}}) {
    FakeBroker broker(dir_);
    const auto command = test::program_path("pipekit-ctl") + " --data-dir " + dir_.path().string() + " group remove g";
    auto options = clean();
    options.input = std::string(answer) + "\n";
    RunningProgram ctl("/usr/bin/script", {"-qec", command, "/dev/null"}, options);
    broker.answer(broker.expect_request("group.show").number,
                  {{"name", "g"}, {"members", {{{"module", "m"}}}}, {"schedules", {{{"id", 1}}}}});
    ctl.wait_for_out("Remove it? [y/N]");
    EXPECT_THAT(ctl.out(), HasSubstr("group g, with 1 schedule"));
    if (removes) broker.answer(broker.expect_request("group.remove").number, {{"removed", "g"}});
    EXPECT_EQ(ctl.wait().exit_code, 0);
    EXPECT_THAT(ctl.out(), HasSubstr(removes ? "removed group g" : "nothing was removed"));
  }
}

TEST_F(CtlClient, an_empty_list_says_whether_a_filter_emptied_it) {
  FakeBroker broker(dir_);
  for (const auto& [words, text] :
       {std::pair{std::vector<std::string>{"runs", "list"}, "no runs yet"},
        std::pair{std::vector<std::string>{"runs", "list", "--status", "error"}, "no matching runs"},
        std::pair{std::vector<std::string>{"audit", "list", "--who", "x"}, "no matching audit entries"}}) {
    auto ctl = this->ctl(words);
    broker.answer(broker.expect_request(words[0] + ".list").number, Json::array());
    EXPECT_THAT(ctl.wait().err, HasSubstr(text));
  }
}

TEST_F(CtlClient, the_audit_is_asked_and_shown_in_the_words_of_the_command_line) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"audit", "list", "--verb", "group add-member"});
  const auto request = broker.expect_request("audit.list");
  EXPECT_EQ(request.args["verb"], "group.add_member");
  broker.answer(request.number,
                {{{"id", 1}, {"verb", "group.add_member"}, {"who", "uid 0"}, {"at", "2026-03-01T00:00:00Z"}}});
  EXPECT_THAT(ctl.wait().out, HasSubstr("group add-member"));
}

TEST_F(CtlClient, validating_without_a_file_is_an_error_and_values_are_checked) {
  EXPECT_EQ(run({"config", "validate"}).exit_code, 2);
  EXPECT_EQ(run({"config", "validate", dir_.write("good.yaml", "timeout: 5\n")}).exit_code, 0);
  EXPECT_EQ(run({"config", "validate", dir_.write("bad.yaml", "timeout: soon\n")}).exit_code, 2);
  EXPECT_EQ(run({"--config", dir_.file("good.yaml"), "config", "validate"}).exit_code, 0);
}

TEST_F(CtlClient, help_and_version_are_printed_for_those_who_type_a_verb) {
  EXPECT_EQ(run({"help", "run"}).out, run({"run", "--help"}).out);
  EXPECT_EQ(run({"help"}).out, run({"--help"}).out);
  EXPECT_EQ(run({"help", "module"}).out, run({"module", "-h"}).out);
  EXPECT_EQ(run({"version"}).out, run({"--version"}).out);
  EXPECT_EQ(run({"help", "rnu"}).exit_code, 2);
}

TEST_F(CtlClient, logs_are_followed_from_where_the_stored_ones_end) {
  FakeBroker broker(dir_);
  auto ctl = this->ctl({"runs", "logs", "7", "-f"});
  auto page = broker.expect_request("runs.logs");
  EXPECT_EQ(page.args["after"], 0);
  broker.answer(page.number, {{"lines", {{{"seq", 3}, {"ts", nullptr}, {"stream", "stdout"}, {"line", "one"}}}},
                              {"next", 3},
                              {"done", false}});
  page = broker.expect_request("runs.logs");
  EXPECT_EQ(page.args["after"], 3);
  broker.answer(page.number, {{"lines", Json::array()}, {"next", 3}, {"done", false}});
  const auto tail = broker.expect_tail();
  EXPECT_EQ(tail.after, 3);
  auto reply = tail_reply(tail, {event(6, "run.finished", {{"status", "error"}})});
  LogChunk chunk;
  chunk.first_seq = 4;
  chunk.run_id = 7;
  chunk.lines = {{false, "two"}, {true, "three"}};
  reply.logs = {chunk};
  broker.answer(reply);
  const auto result = ctl.wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "one\ntwo\nthree\n");
}

}  // namespace
}  // namespace pipekit
