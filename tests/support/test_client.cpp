#include "tests/support/test_client.h"

#include <fmt/format.h>

#include <random>
#include <stdexcept>

#include "shared/poller.h"

namespace pipekit::test {
namespace {

constexpr size_t kLastWords = 15;
constexpr Millis kResendAfter{1000};
constexpr Millis kAskAgainAfter{1000};  // a broker that was killed has forgotten the parked request

std::string random_id() {
  std::random_device device;
  return fmt::format("test-{:08x}{:08x}", device(), device());
}

// False when the deadline came first.
bool wait_readable(DealerSocket& socket, MonoTime deadline, const Clock& clock) {
  Poller poller;
  const auto slot = poller.add(socket.socket());
  while (clock.now() < deadline) {
    poller.wait_until(deadline, clock);
    if (poller.readable(slot)) return true;
  }
  return false;
}

std::optional<BrokerToClient> next_message(DealerSocket& socket) {
  const auto received = socket.try_receive();
  if (!received) return std::nullopt;
  auto message = decode_broker_to_client(received->frames.head, received->frames.body);
  if (!message) throw std::runtime_error("from the broker: " + message.error().message);
  return std::move(*message);
}

}  // namespace

TestClient::TestClient(std::string endpoint, Millis deadline)
    : endpoint_(std::move(endpoint)), deadline_(deadline), id_(random_id()) {
  reconnect();
}

void TestClient::reconnect() {
  socket_.reset();
  socket_ = std::make_unique<DealerSocket>(context_, endpoint_, true);
}

void TestClient::send(int64_t number, const std::string& verb, const Json& args) {
  socket_->send(encode(ClientToBroker{Request{id_, number, 0, "test", verb, args}}));
}

std::optional<Reply> TestClient::receive_until(int64_t number, MonoTime deadline) {
  while (wait_readable(*socket_, deadline, clock_)) {
    while (auto message = next_message(*socket_)) {
      auto* reply = std::get_if<Reply>(&*message);
      if (reply != nullptr && reply->number == number) return std::move(*reply);
    }
  }
  return std::nullopt;
}

Reply TestClient::receive(int64_t number) {
  if (auto reply = receive_until(number, clock_.now() + deadline_)) return std::move(*reply);
  throw std::runtime_error(fmt::format("no reply to request {} from {}", number, endpoint_));
}

Reply TestClient::exchange(const std::string& verb, Json args) {
  const auto number = next_number();
  const auto deadline = clock_.now() + deadline_;
  while (clock_.now() < deadline) {
    send(number, verb, args);
    if (auto reply = receive_until(number, std::min<MonoTime>(deadline, clock_.now() + kResendAfter))) {
      return std::move(*reply);
    }
    reconnect();
  }
  throw std::runtime_error(fmt::format("no reply to {} from {}", verb, endpoint_));
}

Json TestClient::ask(const std::string& verb, Json args) {
  auto reply = exchange(verb, std::move(args));
  if (!reply.error) return std::move(reply.body);
  throw std::runtime_error(fmt::format("{}: {}: {} {}", verb, reply.error->code, reply.error->message,
                                       reply.body.is_null() ? "" : reply.body.dump()));
}

int64_t TestClient::run(const std::string& module, Json more) {
  more["module"] = module;
  return ask("run", std::move(more)).at("run_id").get<int64_t>();
}

EventLog::EventLog(std::string endpoint, int64_t after, Millis deadline)
    : endpoint_(std::move(endpoint)), deadline_(deadline), next_(after) {}

void EventLog::ask() {
  socket_.reset();
  socket_ = std::make_unique<DealerSocket>(context_, endpoint_, true);
  socket_->send(encode(ClientToBroker{TailRequest{++number_, next_, true, {}}}));
  asked_ = true;
}

void EventLog::take(const TailReply& reply) {
  std::vector<LoggedEvent> news;
  for (const auto& event : reply.events) {
    news.push_back({event.seq, event.kind, event.run_id.value_or(0), event.module_name, event.worker, event.fields});
  }
  for (const auto& chunk : reply.logs) {
    auto seq = chunk.first_seq;
    for (const auto& line : chunk.lines) {
      news.push_back({seq++,
                      "run.log",
                      chunk.run_id,
                      chunk.module_name,
                      chunk.worker,
                      {{"line", line.text}, {"stream", line.err ? "stderr" : "stdout"}}});
    }
  }
  std::ranges::sort(news, {}, &LoggedEvent::seq);
  for (auto& event : news) {
    if (event.seq <= next_) continue;  // a chunk that began before the requested number
    if (event.seq != next_ + 1) {
      throw std::runtime_error(fmt::format("event {} ({}) follows {}", event.seq, event.kind, next_));
    }
    next_ = event.kind == "run.elided" ? event.fields.at("to").get<int64_t>() : event.seq;
    seen_.push_back(std::move(event));
  }
  if (reply.next != next_) {
    throw std::runtime_error(fmt::format("the tail's answer goes up to {}, its events to {}", reply.next, next_));
  }
  last_ = reply.last;
}

// False when the deadline came first.
bool EventLog::receive(MonoTime deadline) {
  if (!asked_) ask();
  const auto again = std::min<MonoTime>(deadline, clock_.now() + kAskAgainAfter);
  while (wait_readable(*socket_, again, clock_)) {
    while (auto message = next_message(*socket_)) {
      const auto* reply = std::get_if<TailReply>(&*message);
      if (reply == nullptr || reply->number != number_) continue;
      take(*reply);
      socket_->send(encode(ClientToBroker{TailRequest{++number_, next_, true, {}}}));
      return true;
    }
  }
  asked_ = false;
  return clock_.now() < deadline;
}

const LoggedEvent& EventLog::wait_for(const std::string& what, const Predicate& matches, int64_t after) {
  const auto deadline = clock_.now() + deadline_;
  for (size_t looked = 0;;) {
    for (; looked < seen_.size(); ++looked) {
      if (seen_[looked].seq > after && matches(seen_[looked])) return seen_[looked];
    }
    if (receive(deadline)) continue;
    throw std::runtime_error(fmt::format("waited in vain for {}{}", what, last_words()));
  }
}

const LoggedEvent& EventLog::wait_for_kind(const std::string& kind, int64_t run, int64_t after) {
  return wait_for(
      fmt::format("{} of run {}", kind, run),
      [&](const LoggedEvent& event) { return event.kind == kind && event.run == run; }, after);
}

const LoggedEvent& EventLog::wait_for_step(int64_t run, const std::string& step, int64_t after) {
  return wait_for(
      fmt::format("step {} of run {}", step, run),
      [&](const LoggedEvent& event) {
        return event.kind == "run.step" && event.run == run && event.fields.value("step", "") == step;
      },
      after);
}

int64_t EventLog::catch_up() {
  ask();
  const auto deadline = clock_.now() + deadline_;
  TailRequest request{++number_, next_, false, {}};
  for (;;) {
    request.after = next_;
    socket_->send(encode(ClientToBroker{request}));
    bool answered = false;
    while (!answered && wait_readable(*socket_, std::min<MonoTime>(deadline, clock_.now() + kAskAgainAfter), clock_)) {
      while (auto message = next_message(*socket_)) {
        const auto* reply = std::get_if<TailReply>(&*message);
        if (reply == nullptr || reply->number != request.number) continue;
        take(*reply);
        answered = true;
      }
    }
    asked_ = false;
    if (answered && next_ == last_) return next_;
    if (clock_.now() >= deadline) throw std::runtime_error("the event log does not answer at " + endpoint_);
    request.number = ++number_;
    if (!answered) ask();
  }
}

std::string EventLog::last_words() const {
  std::string text = "; the last events:";
  const auto from = seen_.size() > kLastWords ? seen_.size() - kLastWords : 0;
  for (auto i = from; i < seen_.size(); ++i) {
    const auto& event = seen_[i];
    text += fmt::format("\n  {} {} run {} {} {} {}", event.seq, event.kind, event.run, event.module, event.worker,
                        event.fields.dump());
  }
  return text;
}

std::vector<LoggedEvent> EventLog::of_run(int64_t run, const std::string& kind) const {
  std::vector<LoggedEvent> events;
  for (const auto& event : seen_) {
    if (event.run == run && (kind.empty() || event.kind == kind)) events.push_back(event);
  }
  return events;
}

}  // namespace pipekit::test
