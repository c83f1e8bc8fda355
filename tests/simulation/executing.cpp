#include "tests/simulation/executing.h"

#include <stdexcept>

namespace pipekit::simulation {
namespace {

Executing* running = nullptr;

}  // namespace

Executing::Executing(const Host& host, std::string id, RunKey key, std::function<void()> body)
    : host_(host), id_(std::move(id)), key_(key), fiber_(std::move(body)) {}

Executing& Executing::current() { return *running; }

void Executing::wake() {
  if (waking_ || fiber_.done()) return;
  waking_ = true;
  host_.world.after(std::chrono::microseconds{host_.world.random.between(10, 900)}, [self = weak_from_this()] {
    if (const auto executing = self.lock()) executing->resume();
  });
}

void Executing::resume() {
  waking_ = false;
  if (!host_.runs()) return;  // woken when the process continues
  auto* before = std::exchange(running, this);
  fiber_.resume();
  running = before;
}

void Executing::hear(Note note) {
  notes_.push_back(note);
  wake();
}

void Executing::die() {
  if (session_ != nullptr) session_->client_dies();
  session_.reset();
  auto* before = std::exchange(running, this);
  fiber_.kill();
  running = before;
}

std::optional<Executing::Note> Executing::next_note() {
  if (notes_.empty()) return std::nullopt;
  const auto note = notes_.front();
  notes_.pop_front();
  return note;
}

void Executing::wait(std::optional<MonoTime> until) {
  if (until) {
    host_.world.at(*until, [self = weak_from_this()] {
      if (const auto executing = self.lock()) executing->wake();
    });
  }
  Fiber::suspend();
}

void Executing::send(worker::FromExecutor message) {
  message.id = id_;
  message.key = key_;
  host_.to_loop(std::move(message));
}

std::shared_ptr<Session> Executing::ask(const std::string& connection, const std::string& script) {
  const auto found = host_.destinations.find(connection);
  if (found == host_.destinations.end()) throw std::logic_error("no destination " + connection);
  session_ = found->second->begin(key_, script);
  session_->on_answer([self = weak_from_this()] {
    if (const auto executing = self.lock()) executing->wake();
  });
  return session_;
}

}  // namespace pipekit::simulation
