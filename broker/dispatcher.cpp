#include "broker/dispatcher.h"

#include <algorithm>

#include "shared/planted_fault.h"

namespace pipekit {
namespace {

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
    if (vacancy.free_slots <= 0 || !has_tags(vacancy.tags, run.tags)) continue;
    if (found == nullptr || vacancy.free_slots > found->free_slots) found = &vacancy;
  }
  return found;
}

}  // namespace

bool has_tags(const std::vector<std::string>& worker, const std::vector<std::string>& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& tag) { return std::ranges::find(worker, tag) != worker.end(); });
}

Placer::Placer(std::vector<Vacancy> vacancies, std::map<std::string, int64_t> sessions)
    : vacancies_(std::move(vacancies)), sessions_(std::move(sessions)) {
  for (const auto& vacancy : vacancies_) free_ += std::max<int64_t>(vacancy.free_slots, 0);
}

const std::string* Placer::place(const Waiting& run) {
  if (full() || full_connection(run, sessions_) != nullptr) return nullptr;
  auto* vacancy = best(run, vacancies_);
  if (vacancy == nullptr) return nullptr;
  --vacancy->free_slots;
  --free_;
  for (const auto& use : run.uses) ++sessions_[use.first];
  return &vacancy->worker;
}

Obstacle obstacle(const Waiting& run, const std::vector<Vacancy>& workers,
                  const std::map<std::string, int64_t>& sessions) {
  using enum Obstacle::Kind;
  if (workers.empty()) return {no_worker};
  const auto fits = [&](const Vacancy& worker) { return has_tags(worker.tags, run.tags); };
  if (std::ranges::none_of(workers, fits)) return {no_tags};
  if (const auto* full = full_connection(run, sessions)) return {connection_full, full->first, full->second};
  const bool room = std::ranges::any_of(workers, [&](const auto& one) { return one.free_slots > 0 && fits(one); });
  return {room ? none : no_slot};
}

}  // namespace pipekit
