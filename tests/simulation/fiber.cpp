#include "tests/simulation/fiber.h"

#include <utility>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace pipekit::simulation {
namespace {

constexpr size_t kStackBytes = size_t{512} * 1024;  // untouched pages cost nothing

Fiber* running = nullptr;

void* new_context() {
#ifdef __SANITIZE_THREAD__
  return __tsan_create_fiber(0);
#else
  return nullptr;
#endif
}

void* current_context() {
#ifdef __SANITIZE_THREAD__
  return __tsan_get_current_fiber();
#else
  return nullptr;
#endif
}

void end_context([[maybe_unused]] void* context) {
#ifdef __SANITIZE_THREAD__
  __tsan_destroy_fiber(context);
#endif
}

// Inlined, because ThreadSanitizer records calls and returns by context: it would see a return without its call.
[[gnu::always_inline]] inline void leave([[maybe_unused]] void** fake, [[maybe_unused]] const void* stack,
                                         [[maybe_unused]] size_t size, [[maybe_unused]] void* context) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(fake, stack, size);
#endif
#ifdef __SANITIZE_THREAD__
  __tsan_switch_to_fiber(context, 0);
#endif
}

void arrive([[maybe_unused]] void* fake, [[maybe_unused]] const void** from, [[maybe_unused]] size_t* size) {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(fake, from, size);
#endif
}

std::vector<std::unique_ptr<char[]>>& spare_stacks() {
  static std::vector<std::unique_ptr<char[]>> stacks;
  return stacks;
}

}  // namespace

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), context_(new_context()) {
  auto& spare = spare_stacks();
  if (spare.empty()) {
    stack_ = std::make_unique_for_overwrite<char[]>(kStackBytes);
  } else {
    stack_ = std::move(spare.back());
    spare.pop_back();
  }
  ::getcontext(&here_);
  here_.uc_stack.ss_sp = stack_.get();
  here_.uc_stack.ss_size = kStackBytes;
  here_.uc_link = nullptr;
  ::makecontext(&here_, &Fiber::enter, 0);
}

Fiber::~Fiber() {
  kill();
  end_context(context_);
  spare_stacks().push_back(std::move(stack_));
}

void Fiber::enter() {
  auto* self = running;
  arrive(nullptr, &self->caller_stack_, &self->caller_size_);
  self->run();
  leave(nullptr, self->caller_stack_, self->caller_size_, self->caller_context_);
  ::swapcontext(&self->here_, &self->caller_);  // never returns
}

void Fiber::run() {
  try {
    body_();
  } catch (const Dead&) {
    // Its process was killed: nobody receives the result.
  } catch (...) {
    error_ = std::current_exception();
  }
  body_ = nullptr;
  done_ = true;
}

void Fiber::switch_to() {
  auto* before = std::exchange(running, this);
  started_ = true;
  void* fake = nullptr;
  caller_context_ = current_context();
  leave(&fake, stack_.get(), kStackBytes, context_);
  ::swapcontext(&caller_, &here_);
  arrive(fake, nullptr, nullptr);
  running = before;
}

void Fiber::resume() {
  if (done_) return;
  switch_to();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Fiber::kill() {
  if (done_) return;
  dead_ = true;
  if (!started_) {
    body_ = nullptr;
    done_ = true;
    return;
  }
  switch_to();
  error_ = nullptr;
}

void Fiber::suspend() {
  auto* self = running;
  void* fake = nullptr;
  leave(&fake, self->caller_stack_, self->caller_size_, self->caller_context_);
  ::swapcontext(&self->here_, &self->caller_);
  arrive(fake, &self->caller_stack_, &self->caller_size_);
  if (self->dead_) throw Dead{};
}

}  // namespace pipekit::simulation
