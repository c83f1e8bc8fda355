// One attempt: the eleven steps of DESIGN section 4. Runs on its own thread and talks to the loop only through its
// Link. The last message is its final fact; no child is alive then.
#pragma once

#include "shared/clock.h"
#include "shared/protocol.h"
#include "worker/destination.h"
#include "worker/link.h"
#include "worker/runner.h"

namespace pipekit::worker {

class Executor {
 public:
  Executor(const Assignment& assignment, const RunnerConfig& config, const Clock& clock, Link& link);

  void run();

 private:
  // Each fills result_; an error ends the attempt.
  using Done = std::optional<StepError>;

  Done flow();
  Done work(Destination& destination);
  Done claim(Destination& destination);
  Done reconcile(Destination& destination);
  Done resolve_watermarks();
  void tell_default(const WatermarkSnapshot& watermark);
  Done materialise();
  Done transfer(Destination& destination);
  std::string failed_side(std::string& complaint) const;
  [[nodiscard]] StepError transfer_error(const CallResult& call, const Destination& destination) const;
  Done verify(Destination& destination);
  Done merge(Destination& destination);
  Done after_failed_merge(Destination& destination, const CallResult& call);
  Done run_hooks(const Done& error);
  CallResult run_hook(const HookSnapshot& hook);
  void record(const HookSnapshot& hook, const CallResult& call);

  void step(const char* name, std::string detail = "");
  // Ends the step before it.
  void begin(const char* name);
  void conclude(const Done& error);
  [[nodiscard]] int64_t now_ms() const { return to_ms(clock_.wall()); }

  const Assignment& assignment_;
  const ModuleSnapshot& module_;
  const Clock& clock_;
  Link& link_;
  Masker masker_;
  Runner runner_;
  fact::Finished result_;
  MonoTime step_began_{};
  std::map<std::string, std::string> values_;  // of the placeholders
  std::string source_sql_;
  std::optional<int64_t> reported_;  // by the runner
  std::optional<int64_t> staged_;    // verified
  bool staging_made_ = false;
};

// The passwords of these connections, or of all that the module touches, where they can be resolved.
std::vector<std::string> secrets_of(const std::vector<const ConnectionSnapshot*>& connections, const Secrets& secrets);
std::vector<std::string> secrets_of(const ModuleSnapshot& module, const Secrets& secrets);

}  // namespace pipekit::worker
