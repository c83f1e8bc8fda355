// The states of an attempt and the only ways between them; the store repeats the guard (UPDATE ... WHERE state =
// :from). A run's status follows from its newest attempt: no live attempt and not final is queued, a live one is
// running. A state without rows is final; a retry is a new attempt.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace pipekit {

enum class AttemptState { assigned, running, cancelling, lost, ended };
enum class AttemptEvent { started, refused, never_begun, finished, cancel, lease_ended };

struct Transition {
  AttemptState from;
  AttemptEvent event;
  AttemptState to;
};

inline constexpr auto kTransitions = std::to_array<Transition>({
    {AttemptState::assigned, AttemptEvent::started, AttemptState::running},
    {AttemptState::assigned, AttemptEvent::refused, AttemptState::ended},      // nothing was begun
    {AttemptState::assigned, AttemptEvent::never_begun, AttemptState::ended},  // the worker does not know it
    {AttemptState::assigned, AttemptEvent::finished, AttemptState::ended},
    {AttemptState::assigned, AttemptEvent::cancel, AttemptState::cancelling},
    {AttemptState::assigned, AttemptEvent::lease_ended, AttemptState::lost},
    {AttemptState::running, AttemptEvent::never_begun, AttemptState::lost},  // gone without a final fact
    {AttemptState::running, AttemptEvent::finished, AttemptState::ended},
    {AttemptState::running, AttemptEvent::cancel, AttemptState::cancelling},
    {AttemptState::running, AttemptEvent::lease_ended, AttemptState::lost},  // may have merged; the destination knows
    {AttemptState::cancelling, AttemptEvent::started, AttemptState::cancelling},  // crossed with the cancel
    {AttemptState::cancelling, AttemptEvent::refused, AttemptState::ended},
    {AttemptState::cancelling, AttemptEvent::never_begun, AttemptState::ended},
    {AttemptState::cancelling, AttemptEvent::finished, AttemptState::ended},
    {AttemptState::cancelling, AttemptEvent::lease_ended, AttemptState::lost},
    {AttemptState::lost, AttemptEvent::finished, AttemptState::ended},  // it continued; DESIGN section 7, late facts
    {AttemptState::lost, AttemptEvent::refused, AttemptState::ended},
});

constexpr std::optional<AttemptState> next(AttemptState from, AttemptEvent event) {
  for (const auto& row : kTransitions) {
    if (row.from == from && row.event == event) return row.to;
  }
  return std::nullopt;
}

constexpr bool unambiguous() {
  for (size_t i = 0; i < kTransitions.size(); ++i) {
    for (size_t j = i + 1; j < kTransitions.size(); ++j) {
      if (kTransitions[i].from == kTransitions[j].from && kTransitions[i].event == kTransitions[j].event) return false;
    }
  }
  return true;
}
static_assert(unambiguous());

// Holds the run and a slot of its worker.
constexpr bool is_live(AttemptState s) {
  return s == AttemptState::assigned || s == AttemptState::running || s == AttemptState::cancelling;
}

constexpr std::string_view to_string(AttemptState s) {
  constexpr std::array<std::string_view, 5> kWords = {"assigned", "running", "cancelling", "lost", "ended"};
  return kWords[static_cast<size_t>(s)];
}

constexpr std::string_view to_string(AttemptEvent e) {
  constexpr std::array<std::string_view, 6> kWords = {"started",  "refused", "never_begun",
                                                      "finished", "cancel",  "lease_ended"};
  return kWords[static_cast<size_t>(e)];
}

constexpr std::optional<AttemptState> attempt_state_from(std::string_view word) {
  for (auto s : {AttemptState::assigned, AttemptState::running, AttemptState::cancelling, AttemptState::lost,
                 AttemptState::ended}) {
    if (to_string(s) == word) return s;
  }
  return std::nullopt;
}

}  // namespace pipekit
