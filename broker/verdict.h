// What becomes of a run when one of its attempts is over: pure, the whole policy of retries, lost workers and unknown
// outcomes in one function (DESIGN section 4). The rest of the broker only carries it out.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "shared/protocol.h"

namespace pipekit {

// How the attempt ended, as far as the broker knows.
struct AttemptEnd {
  enum class How {
    not_begun,  // refused, or never arrived
    lost,       // lease ended, or its worker restarted
    told,       // its final fact: `status` and `outcome` are set
  };
  How how = How::lost;
  std::string status;   // success, error, cancelled, dry_run
  std::string outcome;  // none, merged, not_merged, unknown
  bool retryable = true;
  std::string error_code;
  std::string error;
  std::string worker;
};

struct RunAtEnd {
  bool was_merging = false;   // the attempt had the acknowledgement of `merging`
  bool outcome_open = false;  // an earlier attempt may have merged, and none has been told since whether it has
  bool reconcile = false;     // the attempt only asked
  bool cancel_requested = false;
  bool fenced = true;  // fence: auto
  bool append = false;
  int64_t attempts = 1;  // used so far, this one included
  int64_t retries = 0;
  std::string pending_code;  // what a reconciled run ends with when it has not merged
  std::string pending_error;
};

namespace verdict {

struct Final {
  std::string status;
  std::string error_code;
  std::string error;
};
// The same attempt number again, at once.
struct Again {};
// A new attempt after the backoff. The error remains if none is possible.
struct Retry {
  std::string error_code;
  std::string error;
};
// Only the destination knows. Final with this error if it says "not merged".
struct Reconcile {
  std::string error_code;
  std::string error;
};

}  // namespace verdict

using Verdict = std::variant<verdict::Final, verdict::Again, verdict::Retry, verdict::Reconcile>;

Verdict judge(const AttemptEnd& end, const RunAtEnd& run);

}  // namespace pipekit
