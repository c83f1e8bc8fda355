// Simulated clients that behave like pipekit-ctl: a command is sent again on a new socket until it is answered or the
// client gives up; a tail continues from the last event it has.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tests/simulation/network.h"
#include "tests/simulation/promises.h"

namespace pipekit::simulation {

// A ctl process with one command.
class Command {
 public:
  using Done = std::function<void(const Reply* reply)>;  // nullptr: no answer in time

  // `key`: its public key; empty for a local client.
  Command(World& world, Network& network, Request request, const std::string& key, Millis patience, Done done);
  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] Wire& wire() { return wire_; }

 private:
  void send();
  void resend_if_due(int64_t sending);
  void receive(const Frames& frames);
  void end(const Reply* reply);

  World& world_;
  Request request_;
  Done done_;
  Wire wire_;
  MonoTime began_;
  int64_t sendings_ = 0;
  bool over_ = false;
  std::shared_ptr<Command*> self_ = std::make_shared<Command*>(this);
};

// A process of `ctl events tail`.
class Tail {
 public:
  Tail(World& world, Network& network, Promises& promises, std::string name);
  [[nodiscard]] Wire& wire() { return wire_; }
  [[nodiscard]] int64_t after() const { return after_; }

 private:
  void ask();
  void receive(const Frames& frames);

  World& world_;
  Promises& promises_;
  std::string name_;
  Wire wire_;
  int64_t number_ = 0;
  int64_t after_ = 0;
  std::shared_ptr<Tail*> self_ = std::make_shared<Tail*>(this);
};

}  // namespace pipekit::simulation
