// worker/link.h for executors on fibers: the same messages without sockets. Linked instead of worker/link.cpp.
#include <zmq.hpp>

#include "tests/simulation/executing.h"
#include "worker/link.h"

namespace pipekit::worker {
namespace {

using simulation::Executing;
using Kind = FromExecutor::Kind;

bool is_final(const FactBody& body) {
  return std::holds_alternative<fact::Finished>(body) || std::holds_alternative<fact::Refused>(body);
}

}  // namespace

Link::Link(zmq::context_t&, const std::string&, RunKey key) : key_(key) {}

int64_t Link::send(FactBody body) {
  FromExecutor message;
  message.kind = Kind::fact;
  message.seq = ++seq_;
  message.final = is_final(body);
  message.frames = encode(WorkerToBroker{Fact{key_, seq_, std::move(body)}});
  open_.emplace_back(seq_, static_cast<int64_t>(message.frames.body.size()));
  open_bytes_ += open_.back().second;
  Executing::current().send(std::move(message));
  return seq_;
}

void Link::send(TaskResult result) {
  FromExecutor message;
  message.kind = Kind::result;
  message.frames = encode(WorkerToBroker{std::move(result)});
  Executing::current().send(std::move(message));
}

void Link::done() {
  FromExecutor message;
  message.kind = Kind::done;
  Executing::current().send(std::move(message));
}

bool Link::may_start() {
  answer_.reset();
  FromExecutor message;
  message.kind = Kind::may_start;
  Executing::current().send(std::move(message));
  while (!answer_) take(zmq::recv_flags::none);
  return *answer_ && !killed_;
}

bool Link::wait_acknowledged(int64_t seq) {
  while (acknowledged_ < seq) {
    if (cancelled_ || killed_) return false;
    take(zmq::recv_flags::none);
  }
  return true;
}

void Link::pump() {
  while (take(zmq::recv_flags::dontwait)) {
  }
}

bool Link::take(zmq::recv_flags flags) {
  auto& executing = Executing::current();
  auto note = executing.next_note();
  while (!note) {
    if (flags == zmq::recv_flags::dontwait) return false;
    executing.wait();
    note = executing.next_note();
  }
  switch (note->kind) {
    case Executing::Note::Kind::go:
      answer_ = true;
      break;
    case Executing::Note::Kind::stop:
      answer_ = false;
      break;
    case Executing::Note::Kind::cancel:
      cancelled_ = true;
      break;
    case Executing::Note::Kind::kill:
      killed_ = true;
      break;
    case Executing::Note::Kind::acknowledged:
      acknowledged_ = std::max(acknowledged_, note->seq);
      while (!open_.empty() && open_.front().first <= acknowledged_) {
        open_bytes_ -= open_.front().second;
        open_.pop_front();
      }
  }
  return true;
}

}  // namespace pipekit::worker
