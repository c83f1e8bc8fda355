#include "broker/verdict.h"

#include <fmt/format.h>

namespace pipekit {
namespace {

using verdict::Again;
using verdict::Final;
using verdict::Reconcile;
using verdict::Retry;

constexpr auto kUnknownAdvice =
    "the merge may or may not have been committed; compare the destination before running the module again";

bool may_retry(const RunAtEnd& run) { return !run.cancel_requested && run.attempts <= run.retries; }

Final outcome_unknown(const std::string& why) {
  return {"error", "outcome_unknown", fmt::format("{}; {}", why, kUnknownAdvice)};
}

// The end of a run that has certainly not merged.
Verdict not_merged(const RunAtEnd& run, const std::string& code, const std::string& error, bool retryable) {
  if (run.cancel_requested) return Final{"cancelled", code, error};
  if (retryable && may_retry(run)) return Retry{code, error};
  return Final{"error", code, error};
}

Verdict unknown(const RunAtEnd& run, const std::string& code, const std::string& error, bool retryable) {
  const bool again = retryable && may_retry(run);
  if (run.fenced) {
    // The next attempt's claim asks the destination first, so a retry is as safe as a question.
    if (again) return Retry{code, error};
    return Reconcile{code, error};
  }
  if (!run.append && again) return Retry{code, error};
  return outcome_unknown(error);
}

Verdict after_loss(const AttemptEnd& end, const RunAtEnd& run) {
  const auto lost = fmt::format("worker {} was lost", end.worker);
  if (run.was_merging) return unknown(run, "worker_lost", lost + " while it merged", true);
  if (run.outcome_open) return unknown(run, "worker_lost", lost, true);
  if (run.cancel_requested) {
    return Final{"cancelled", "unconfirmed", lost + " before it could confirm that its processes are gone"};
  }
  return not_merged(run, "worker_lost", lost, true);
}

Verdict after_last_word(const AttemptEnd& end, const RunAtEnd& run) {
  if (end.status == "success" || end.status == "dry_run") return Final{end.status, end.error_code, end.error};
  const bool asked = end.outcome == "merged" || end.outcome == "not_merged";
  if (end.outcome == "unknown" || (run.outcome_open && !asked)) {
    return unknown(run, end.error_code, end.error, end.retryable);
  }
  if (end.status == "cancelled") return Final{"cancelled", end.error_code, end.error};
  return not_merged(run, end.error_code, end.error, end.retryable);
}

Verdict after_question(const AttemptEnd& end, const RunAtEnd& run) {
  if (end.how == AttemptEnd::How::told) {
    if (end.status == "success") return Final{"success", "", ""};
    if (end.outcome == "not_merged") {
      return Final{run.cancel_requested ? "cancelled" : "error", run.pending_code, run.pending_error};
    }
  }
  return Reconcile{run.pending_code, run.pending_error};  // asked again until it times out
}

}  // namespace

Verdict judge(const AttemptEnd& end, const RunAtEnd& run) {
  if (run.reconcile) return after_question(end, run);
  switch (end.how) {
    case AttemptEnd::How::not_begun:
      if (!run.cancel_requested) return Again{};
      if (run.outcome_open) return unknown(run, "", "cancelled between two attempts", false);
      return Final{"cancelled", "", ""};
    case AttemptEnd::How::lost:
      return after_loss(end, run);
    case AttemptEnd::How::told:
      return after_last_word(end, run);
  }
  return after_loss(end, run);
}

}  // namespace pipekit
