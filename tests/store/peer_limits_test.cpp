// The answers to a peer that exceeds its limits, and that the others do not notice.
#include "broker/peer_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

using testing::HasSubstr;

constexpr auto kFlood = "1000:1000:77";  // a process
constexpr auto kOther = "1000:1000:78";

class PeerLimits : public testing::Test, protected Dialogue {
 protected:
  PeerLimits() : Dialogue(document_of({{{"name", "m"}}})) {}

  static Received frame(const ClientToBroker& message, const std::string& process, const std::string& peer) {
    Received received;
    received.peer = peer;
    received.frames = encode(message);
    received.process = process;
    return received;
  }
  static Received request(int64_t number, const std::string& verb, const std::string& process, Json args = {}) {
    Request request;
    request.client = process;
    request.number = number;
    request.user = "ada";
    request.verb = verb;
    request.args = args.is_null() ? Json::object() : std::move(args);
    return frame(request, process, "peer of " + process);
  }
  // Sends this many at once; returns the code of the last answer, "accepted", or "" if there was none.
  std::string said(const Received& received, int times = 1) {
    replies.clear();
    TurnInput input;
    input.from_clients.assign(static_cast<size_t>(times), received);
    turn(std::move(input));
    if (replies.empty()) return "";
    return replies.back().error ? replies.back().error->code : "accepted";
  }
  Json broker_status() { return done("status", Json::object()).at("broker"); }
};

TEST_F(PeerLimits, a_flood_is_throttled_with_a_word_and_then_cut_off_without_one) {
  const auto flood = request(1, "cancel", kFlood);
  EXPECT_EQ(said(flood, 9000), "invalid");
  EXPECT_EQ(said(flood, 5000), "overloaded");
  EXPECT_THAT(replies.back().error->hint, HasSubstr("ms"));
  EXPECT_GT(replies.back().body.at("retry_after_ms"), 0);
  EXPECT_EQ(said(request(1, "settings.list", kOther)), "accepted");
  EXPECT_NE(said(flood, 20'000), "");
  EXPECT_EQ(said(flood, 10), "");
  EXPECT_EQ(said(request(2, "settings.list", kOther)), "accepted");
  const auto status = broker_status();
  EXPECT_EQ(status.at("cut_off"), 1);
  EXPECT_EQ(status.at("cut_off_now"), 1);
  EXPECT_GT(status.at("throttled"), 5000);
  EXPECT_GE(status.at("dropped"), 10);
}

TEST_F(PeerLimits, who_waits_as_told_is_served) {
  said(request(1, "cancel", kFlood), 11'000);
  ASSERT_EQ(said(request(1, "cancel", kFlood)), "overloaded");
  pass(Millis{replies.back().body.at("retry_after_ms").get<int64_t>()});
  EXPECT_EQ(said(request(2, "settings.list", kFlood)), "accepted");
}

TEST_F(PeerLimits, what_cannot_be_read_cuts_off_sooner_and_stands_in_the_event_log) {
  auto garbage = request(1, "status", kFlood);
  garbage.frames.body = "garbage";
  auto misshapen = garbage;
  misshapen.misshapen = true;
  misshapen.peer.clear();
  EXPECT_EQ(said(garbage, 60), "malformed");
  EXPECT_EQ(said(misshapen, 60), "");
  EXPECT_EQ(said(request(1, "settings.list", kFlood)), "");
  EXPECT_EQ(broker_status().at("malformed_frames"), 101);
  const auto told = tail(TailRequest{1, 0, false, {{}, {}, "", {"peer.cut_off"}}});
  ASSERT_EQ(told.at(0).events.size(), 1U);
  EXPECT_EQ(told[0].events[0].fields.at("peer"), "uid 1000, pid 77");
  wait(std::chrono::minutes{1});
  EXPECT_EQ(said(request(1, "settings.list", kFlood)), "accepted");
}

TEST_F(PeerLimits, the_tails_of_one_are_bounded_and_another_opens_its_own) {
  TailRequest request{1, count("SELECT max(last_seq) FROM event_chunk"), true, {}};
  for (int i = 0; i < Tails::kMostOfOne; ++i) {
    ASSERT_EQ(said(frame(request, kFlood, "peer " + std::to_string(i))), "");
  }
  EXPECT_EQ(said(frame(request, kFlood, "one more")), "overloaded");
  EXPECT_EQ(said(frame(request, kFlood, "peer 7")), "") << "takes the place of the one before it";
  EXPECT_EQ(said(frame(request, kOther, "other")), "");
  EXPECT_EQ(broker_status().at("open_tails"), Tails::kMostOfOne + 1);
}

TEST_F(PeerLimits, keys_are_counted_by_key_whatever_the_connection) {
  const auto key = std::string(40, 'k');
  done("keys.allow", {{"name", "ann"}, {"role", "viewer"}, {"public_key", key}});
  auto garbage = request(1, "status", "");
  garbage.key = key;
  garbage.frames.body = "garbage";
  for (int i = 0; i < 101; ++i) {
    garbage.peer = "connection " + std::to_string(i);
    said(garbage);
  }
  EXPECT_EQ(said(garbage), "");
}

TEST_F(PeerLimits, a_worker_that_babbles_is_cut_off_and_the_other_goes_on) {
  FakeWorker honest{*this, "honest"};
  honest.join();
  honest.heard();
  Received babble;
  babble.peer = "babbler";
  babble.frames = encode(WorkerToBroker{Heartbeat{}});
  babble.process = kFlood;
  TurnInput input;
  input.from_workers.assign(40'000, babble);
  const auto sends = turn(std::move(input)).sends.size();
  EXPECT_LT(sends, 21'000U) << "hello wanted, as long as it had a budget";
  EXPECT_EQ(broker_status().at("cut_off"), 1);
  run("m");
  EXPECT_EQ(honest.assignments(), 1U);
}

// After a broker restart, a worker's facts arrive before the worker learns that it must say hello.
TEST_F(PeerLimits, facts_of_a_worker_that_is_not_known_again_yet_are_no_offence) {
  Received fact;
  fact.peer = "returning";
  fact.frames = encode(WorkerToBroker{Fact{{RunId{1}, Epoch{1}}, 1, fact::Started{}}});
  fact.process = kFlood;
  TurnInput input;
  input.from_workers.assign(100'000, fact);
  turn(std::move(input));
  EXPECT_EQ(broker_status().at("cut_off"), 0);
}

TEST_F(PeerLimits, facts_of_a_known_worker_are_not_counted) {
  FakeWorker worker{*this, "w"};
  worker.join();
  const auto id = run("m");
  const auto key = worker.take();
  worker.begin(key);
  Received line;
  line.peer = worker.peer;
  line.process = kFlood;
  TurnInput input;
  for (int64_t i = 0; i < 40'000; ++i) {
    line.frames = encode(WorkerToBroker{Fact{key, 2 + i, fact::Progress{0, i}}});
    input.from_workers.push_back(line);
  }
  turn(std::move(input));
  worker.tell(key, 40'002, [] {
    fact::Finished finished;
    finished.status = "success";
    finished.outcome = "merged";
    return FactBody{finished};
  }());
  EXPECT_EQ(status(id), "success");
  EXPECT_EQ(broker_status().at("throttled"), 0);
}

}  // namespace
}  // namespace pipekit::test
