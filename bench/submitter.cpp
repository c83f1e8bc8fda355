#include "bench/submitter.h"

#include <stdexcept>

namespace pipekit::bench {
namespace {

constexpr std::chrono::seconds kPatience{30};

}  // namespace

Submitter::Submitter(const std::string& endpoint, JobBoard& board)
    : board_(board),
      socket_(context_, endpoint, true),
      on_socket_(poller_.add(socket_.socket())),
      on_freed_(poller_.add(board.freed_fd())) {}

std::optional<size_t> Submitter::try_send() {
  const auto module = board_.take();
  if (!module) return std::nullopt;
  Request request{"bench", ++number_, 0, "bench", "run", {{"module", JobBoard::module_name(*module)}}};
  socket_.send(encode(ClientToBroker{std::move(request)}));
  return module;
}

void Submitter::wait(bool for_free_modules) {
  poller_.watch(on_freed_, for_free_modules);
  const auto deadline = clock_.now() + kPatience;
  poller_.wait_until(deadline, clock_);
  if (clock_.now() >= deadline) throw std::runtime_error("the broker does not answer");
}

int64_t Submitter::take_replies() {
  int64_t replies = 0;
  while (auto received = socket_.try_receive()) {
    const auto message = decode_broker_to_client(received->frames.head, received->frames.body);
    const auto* reply = message ? std::get_if<Reply>(&*message) : nullptr;
    if (reply == nullptr) throw std::runtime_error("the broker sent something else than a reply");
    if (reply->error) throw std::runtime_error("a job was refused: " + reply->error->message);
    ++replies;
  }
  return replies;
}

void Submitter::submit(int64_t jobs, int64_t most_unanswered) {
  int64_t sent = 0;
  int64_t unanswered = 0;
  while (sent < jobs || unanswered > 0) {
    board_.clear_freed();
    bool starved = false;
    while (!starved && sent < jobs && unanswered < most_unanswered) {
      starved = !try_send();
      if (starved) break;
      ++sent;
      ++unanswered;
    }
    wait(starved);
    unanswered -= take_replies();
  }
}

size_t Submitter::submit_one() {
  const auto module = try_send();
  if (!module) throw std::runtime_error("no module is free");
  while (take_replies() == 0) wait(false);
  return *module;
}

}  // namespace pipekit::bench
