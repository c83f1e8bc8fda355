#include "broker/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>

#include "shared/planted_fault.h"

namespace pipekit {
namespace {

bool has_tags(const Vacancy& worker, const std::vector<std::string>& tags) {
  return std::ranges::all_of(tags,
                             [&](const auto& tag) { return std::ranges::find(worker.tags, tag) != worker.tags.end(); });
}

const std::pair<std::string, int64_t>* full_connection(const Waiting& run,
                                                       const std::map<std::string, int64_t>& sessions) {
  if (PLANTED("capacity_ignored")) return nullptr;
  for (const auto& use : run.uses) {
    const auto busy = sessions.find(use.first);
    if (use.second > 0 && busy != sessions.end() && busy->second >= use.second) return &use;
  }
  return nullptr;
}

// The emptiest worker that may take it, so that load spreads.
Vacancy* best(const Waiting& run, std::vector<Vacancy>& vacancies) {
  Vacancy* found = nullptr;
  for (auto& vacancy : vacancies) {
    if (vacancy.free_slots <= 0 || !has_tags(vacancy, run.tags)) continue;
    if (found == nullptr || vacancy.free_slots > found->free_slots) found = &vacancy;
  }
  return found;
}

}  // namespace

std::vector<Placement> place(const std::vector<Waiting>& waiting, std::vector<Vacancy> vacancies,
                             std::map<std::string, int64_t> sessions) {
  std::vector<Placement> placements;
  int64_t free = 0;
  for (const auto& vacancy : vacancies) free += std::max<int64_t>(vacancy.free_slots, 0);
  for (const auto& run : waiting) {
    if (free == 0) break;
    if (full_connection(run, sessions) != nullptr) continue;
    auto* vacancy = best(run, vacancies);
    if (vacancy == nullptr) continue;
    placements.push_back({run.run, vacancy->worker});
    --vacancy->free_slots;
    --free;
    for (const auto& use : run.uses) ++sessions[use.first];
  }
  return placements;
}

std::string blocker(const Waiting& run, const std::vector<Vacancy>& workers,
                    const std::map<std::string, int64_t>& sessions) {
  if (workers.empty()) return "no worker is connected";
  if (std::ranges::none_of(workers, [&](const auto& worker) { return has_tags(worker, run.tags); })) {
    return fmt::format("no worker has the tags {}", fmt::join(run.tags, ", "));
  }
  if (const auto* full = full_connection(run, sessions)) {
    return fmt::format("connection {} is full ({} of {} sessions)", full->first, full->second, full->second);
  }
  const bool room = std::ranges::any_of(
      workers, [&](const auto& worker) { return worker.free_slots > 0 && has_tags(worker, run.tags); });
  return room ? "" : "no free slot on a worker that may run it";
}

}  // namespace pipekit
