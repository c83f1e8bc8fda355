#include <fmt/format.h>

#include "worker/runner.h"

namespace pipekit::worker {

std::string CallResult::describe() const {
  switch (interruption) {
    case Interruption::cancelled:
      return "cancelled";
    case Interruption::killed:
      return "the worker's lease on the run ended";
    case Interruption::timed_out:
      return time_limit.empty() ? "timed out" : "timed out after " + time_limit;
    case Interruption::overran:
      return fmt::format("it took longer than the {} s allowed for cleaning up after a run",
                         std::chrono::floor<std::chrono::seconds>(Runner::kCleanUpLimit).count());
    case Interruption::not_started:
      return complaint;
    case Interruption::none:
      break;
  }
  if (overflow) return "the runner printed more than an answer may have";
  constexpr std::string_view kError = "error: ";  // as the bundled runner begins; the message it goes into says so
  if (complaint.starts_with(kError)) return complaint.substr(kError.size());
  if (!complaint.empty()) return complaint;
  return exit ? "the runner " + exit->describe() : "the runner was not started";
}

}  // namespace pipekit::worker
