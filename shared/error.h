// Refusals as values. A Result<T> is a T or an Error; the Error's code is also the code on the wire and decides the
// exit code of pipekit-ctl. Faults (disk full, broken context) are exceptions and end in main; bugs are asserts.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace pipekit {

enum class ErrorCode {
  kUnexpected,       // exit 1
  kUsage,            // exit 2: command line or configuration file
  kInvalid,          // exit 3: validation, the input is wrong
  kNotFound,         // exit 3
  kExists,           // exit 3: a name taken
  kInUse,            // exit 3: still referred to by others
  kExecutionFailed,  // exit 4
  kAlreadyRunning,   // exit 4: the module is locked
  kUnavailable,      // exit 5: broker, worker, runner, driver or database missing or unreachable
  kRefused,          // exit 6: key, role, permissions
  kNameInUse,        // a worker's name is held by another incarnation
  kVersionMismatch,  // the peer speaks a protocol version that this program does not
  kStaleRequest,     // resent too late to know whether it was executed
  kMalformed,        // a frame that cannot be decoded
  kTooLarge,         // exit 3: the answer fits into no frame
  kOverloaded,       // exit 5: this peer asks for more than its share; later again
};

// The code in JSON and on the wire: "already_running".
std::string_view to_string(ErrorCode code);
// kUnexpected for an unknown word.
ErrorCode error_code_from(std::string_view word);
// CONTRACT.md, exit codes.
int exit_code(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kUnexpected;
  std::string message;  // what was wrong and where
  std::string hint{};   // what to do next; may be empty
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return *checked(); }
  const T& value() const& { return *checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return *checked(); }
  const T& operator*() const& { return *checked(); }
  T&& operator*() && { return std::move(*checked()); }
  T* operator->() { return checked(); }
  const T* operator->() const { return checked(); }

  [[nodiscard]] const Error& error() const {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  T* checked() {
    assert(ok());
    return std::get_if<0>(&state_);
  }
  const T* checked() const {
    assert(ok());
    return std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !failed_; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const {
    assert(failed_);
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace pipekit
