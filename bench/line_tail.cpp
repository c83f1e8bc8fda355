#include "bench/line_tail.h"

#include <fmt/format.h>

#include <stdexcept>

#include "shared/poller.h"

namespace pipekit::bench {
namespace {

constexpr std::chrono::seconds kPatience{30};

}  // namespace

LineTail::LineTail(const std::string& endpoint, int64_t after, int64_t run) : socket_(context_, endpoint, true) {
  request_.after = after;
  request_.filter.run_id = run;
  ask();
}

void LineTail::ask() {
  ++request_.number;
  socket_.send(encode(ClientToBroker{request_}));
}

void LineTail::take(const TailReply& reply) {
  for (const auto& event : reply.events) {
    if (event.kind == "run.step") step_ = event.fields.value("step", "");
    if (event.kind == "run.elided") throw std::runtime_error("lines of the log were left out");
    if (event.kind == "run.finished" && event.fields.value("status", "") != "success") {
      throw std::runtime_error("the run failed: " + event.fields.dump());
    }
  }
  for (const auto& chunk : reply.logs) lines_ += static_cast<int64_t>(chunk.lines.size());
  request_.after = reply.next;
}

void LineTail::next() {
  Poller poller;
  poller.add(socket_.socket());
  const auto deadline = clock_.now() + kPatience;
  for (;;) {
    if (const auto received = socket_.try_receive()) {
      const auto message = decode_broker_to_client(received->frames.head, received->frames.body);
      const auto* reply = message ? std::get_if<TailReply>(&*message) : nullptr;
      if (reply == nullptr) throw std::runtime_error("the broker sent something else than a tail's answer");
      take(*reply);
      return ask();
    }
    if (clock_.now() >= deadline) throw std::runtime_error(fmt::format("the tail stands at {} lines", lines_));
    poller.wait_until(deadline, clock_);
  }
}

void LineTail::wait_step(const std::string& step) {
  while (step_ != step) next();
}

void LineTail::wait_lines(int64_t lines) {
  while (lines_ < lines) next();
}

}  // namespace pipekit::bench
