// A thread of a simulated program: blocking code that takes turns with everything else on one real thread. Where it
// would block, it calls suspend(); the code that has what it is waiting for calls resume().
#pragma once

#include <ucontext.h>

#include <exception>
#include <functional>
#include <memory>

namespace pipekit::simulation {

class Fiber {
 public:
  // Thrown by suspend() if the fiber's process is dead, to unwind it. Not a std::exception, so nothing catches it.
  struct Dead {};

  explicit Fiber(std::function<void()> body);
  ~Fiber();  // kills it
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs until it suspends or ends. Rethrows the exception it ended with.
  void resume();
  void kill();
  [[nodiscard]] bool done() const { return done_; }
  static void suspend();

 private:
  static void enter();
  void run();
  void switch_to();

  using Stack = std::unique_ptr<char[]>;
  std::function<void()> body_;
  Stack stack_;
  ucontext_t here_{};
  ucontext_t caller_{};
  bool started_ = false;
  bool done_ = false;
  bool dead_ = false;
  std::exception_ptr error_;
  const void* caller_stack_ = nullptr;  // for the address sanitizer
  size_t caller_size_ = 0;
  void* context_ = nullptr;  // for the thread sanitizer
  void* caller_context_ = nullptr;
};

}  // namespace pipekit::simulation
