#include "bench/empty_worker.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <cstdlib>

#include "shared/poller.h"

namespace pipekit::bench {

EmptyWorker::EmptyWorker(const std::string& endpoint, const std::string& name, int slots, JobBoard& board)
    : board_(board),
      session_({name, "of-" + name, "", "localhost", slots, {}}),
      endpoint_(endpoint),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { run(); }) {}

EmptyWorker::~EmptyWorker() {
  const uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
}

// An error here invalidates every figure, and the main thread, which waits, would not notice it.
void EmptyWorker::run() {
  try {
    serve();
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: a worker of the benchmark: {}\n", error.what());
    std::_Exit(1);
  }
}

void EmptyWorker::serve() {
  connect();
  carry_out(session_.begin(clock_.now()));
  for (;;) {
    Poller poller;
    const auto on_stop = poller.add(stop_.get());
    const auto on_socket = poller.add(socket_->socket());
    poller.wait_until(session_.next_deadline(), clock_);
    if (poller.readable(on_stop)) return;
    carry_out(session_.tick(clock_.now()));
    if (poller.readable(on_socket)) read();
  }
}

void EmptyWorker::read() {
  while (auto received = socket_->try_receive()) {
    const auto message = decode_broker_to_worker(received->frames.head, received->frames.body);
    if (!message) throw std::runtime_error(message.error().message);
    carry_out(session_.on_message(*message, clock_.now()));
  }
}

// On a busy machine the broker may be silent for so long that the session asks for a new socket.
void EmptyWorker::carry_out(worker::Actions actions) {
  if (actions.fatal || !actions.kill.empty()) throw std::runtime_error("the broker gave a job up");
  if (actions.replace_socket) connect();
  for (const auto& message : actions.send) socket_->send(encode(message));
  if (actions.resend_facts) {
    for (const auto* frames : outbox_.open()) socket_->send(*frames);
  }
  for (const auto& ack : actions.acknowledged) {
    if (!outbox_.acknowledged(ack.key, ack.seq)) continue;
    session_.over(ack.key);
    const auto job = jobs_.extract(ack.key);
    board_.done(job.mapped());
  }
  for (const auto& assignment : actions.start) execute(assignment);
}

void EmptyWorker::execute(const Assignment& assignment) {
  const auto number = JobBoard::number_of(assignment.module.name);
  board_.started(number);
  jobs_[assignment.key] = number;
  tell(assignment.key, 1, false, fact::Started{to_ms(clock_.wall())});
  fact::Finished finished;
  finished.at = to_ms(clock_.wall());
  finished.status = "success";
  finished.outcome = "merged";
  finished.row_count = 0;
  tell(assignment.key, 2, true, std::move(finished));
}

void EmptyWorker::tell(RunKey key, int64_t seq, bool final, FactBody body) {
  auto frames = encode(WorkerToBroker{Fact{key, seq, std::move(body)}});
  socket_->send(frames);
  outbox_.add(key, seq, final, std::move(frames));
}

}  // namespace pipekit::bench
