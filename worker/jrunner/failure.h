// The two ways in which a transfer or script ends early. Both are thrown from any depth and caught in run.cpp: a
// database error always ends this program, so no code in between needs to handle it.
#pragma once

#include <stdexcept>
#include <utility>

#include "shared/error.h"

namespace pipekit::jrunner {

class Failure : public std::runtime_error {
 public:
  explicit Failure(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
};

// A signal, a closed stdout, or the failure of the other side of a transfer (see Cancellation).
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int reason) : reason_(reason) {}
  [[nodiscard]] int reason() const { return reason_; }
  [[nodiscard]] const char* what() const noexcept override { return "interrupted"; }

 private:
  int reason_;
};

}  // namespace pipekit::jrunner
