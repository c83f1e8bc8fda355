// An attempt on a simulated worker: the real Executor (or a Task) on a fiber. The program is linked with its own
// worker/link.cpp and worker/runner.cpp (simulated_link.cpp, simulated_runner.cpp), which find the running attempt
// through current().
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/simulation/destination.h"
#include "tests/simulation/fiber.h"
#include "worker/link.h"
#include "worker/runner.h"

namespace pipekit::simulation {

using Destinations = std::map<std::string, std::unique_ptr<Destination>>;

class Executing : public std::enable_shared_from_this<Executing> {
 public:
  // Messages from its worker's loop.
  struct Note {
    enum class Kind { go, stop, acknowledged, cancel, kill };
    Kind kind;
    int64_t seq = 0;
  };
  struct Host {
    World& world;
    Destinations& destinations;
    std::function<void(worker::FromExecutor)> to_loop;
    std::function<bool()> runs;  // false while the process is suspended
  };

  Executing(const Host& host, std::string id, RunKey key, std::function<void()> body);

  void start() { wake(); }
  void hear(Note note);
  // Something that it may be waiting for has happened: it checks as soon as its process runs.
  void wake();
  // It dies with its process; its statements at a destination may continue.
  void die();
  [[nodiscard]] bool done() const { return fiber_.done(); }

  // --- for the code on the fiber
  static Executing& current();
  std::optional<Note> next_note();
  // Waits until something happens, or until that time.
  void wait(std::optional<MonoTime> until = std::nullopt);
  void send(worker::FromExecutor message);
  std::shared_ptr<Session> ask(const std::string& connection, const std::string& script);
  World& world() { return host_.world; }
  [[nodiscard]] RunKey key() const { return key_; }

 private:
  void resume();

  const Host& host_;
  std::string id_;
  RunKey key_;
  bool waking_ = false;
  std::deque<Note> notes_;
  std::shared_ptr<Session> session_;
  Fiber fiber_;
};

}  // namespace pipekit::simulation
