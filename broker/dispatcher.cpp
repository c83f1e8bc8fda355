#include "broker/dispatcher.h"

#include <algorithm>

#include "shared/planted_fault.h"

namespace pipekit {
namespace {

// A worker that does not say what its runner has is believed to have everything.
bool has_driver(const Vacancy& worker, const std::string& driver) {
  return worker.drivers.empty() || std::ranges::find(worker.drivers, driver) != worker.drivers.end();
}

bool has_drivers(const Vacancy& worker, const std::vector<std::string>& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& driver) { return has_driver(worker, driver); });
}

// The one that no worker has, else any of them: they are not together on one.
const std::string& missing_driver(const Needs& needs, const std::vector<Vacancy>& workers) {
  const auto absent = [&](const auto& driver) {
    return std::ranges::none_of(workers, [&](const auto& worker) { return has_driver(worker, driver); });
  };
  const auto found = std::ranges::find_if(needs.drivers, absent);
  return found == needs.drivers.end() ? needs.drivers.front() : *found;
}

// The emptiest worker that may take it, so that load spreads.
Vacancy* best(const Needs& needs, std::vector<Vacancy>& vacancies) {
  Vacancy* found = nullptr;
  for (auto& vacancy : vacancies) {
    if (vacancy.free_slots <= 0 || !suits(vacancy, needs)) continue;
    if (found == nullptr || vacancy.free_slots > found->free_slots) found = &vacancy;
  }
  return found;
}

}  // namespace

void Needs::add(const ConnectionSnapshot& connection) {
  if (std::ranges::find(uses, connection.name, &std::pair<std::string, int64_t>::first) != uses.end()) return;
  uses.emplace_back(connection.name, connection.max_sessions);
  tags.insert(tags.end(), connection.required_tags.begin(), connection.required_tags.end());
  if (std::ranges::find(drivers, connection.driver) == drivers.end()) drivers.push_back(connection.driver);
}

void Needs::add_protocol_of(const ModuleSnapshot& module) {
  constexpr int64_t kMergeMethodSince = 3;
  if (module.merge_method != "replace") protocol = std::max(protocol, kMergeMethodSince);
}

const std::pair<std::string, int64_t>* full_connection(const Needs& needs, const Sessions& sessions) {
  if (PLANTED("capacity_ignored")) return nullptr;
  for (const auto& use : needs.uses) {
    const auto busy = sessions.find(use.first);
    if (use.second > 0 && busy != sessions.end() && busy->second >= use.second) return &use;
  }
  return nullptr;
}

bool has_tags(const std::vector<std::string>& worker, const std::vector<std::string>& wanted) {
  return std::ranges::all_of(wanted, [&](const auto& tag) { return std::ranges::find(worker, tag) != worker.end(); });
}

bool suits(const Vacancy& worker, const Needs& needs) {
  return has_tags(worker.tags, needs.tags) && has_drivers(worker, needs.drivers) && worker.protocol >= needs.protocol;
}

Placer::Placer(std::vector<Vacancy> vacancies, Sessions sessions)
    : vacancies_(std::move(vacancies)), sessions_(std::move(sessions)) {
  for (const auto& vacancy : vacancies_) free_ += std::max<int64_t>(vacancy.free_slots, 0);
}

const std::string* Placer::place(const Needs& needs) {
  if (full() || full_connection(needs, sessions_) != nullptr) return nullptr;
  auto* vacancy = best(needs, vacancies_);
  if (vacancy == nullptr) return nullptr;
  --vacancy->free_slots;
  --free_;
  for (const auto& use : needs.uses) ++sessions_[use.first];
  return &vacancy->worker;
}

Obstacle obstacle(const Needs& needs, const std::vector<Vacancy>& workers, const Sessions& sessions) {
  using enum Obstacle::Kind;
  if (workers.empty()) return {no_worker};
  const auto tagged = [&](const Vacancy& worker) { return has_tags(worker.tags, needs.tags); };
  if (std::ranges::none_of(workers, tagged)) return {no_tags};
  const auto fits = [&](const Vacancy& worker) { return suits(worker, needs); };
  if (std::ranges::none_of(workers, fits)) {
    const auto has_all = [&](const Vacancy& worker) { return tagged(worker) && has_drivers(worker, needs.drivers); };
    if (std::ranges::any_of(workers, has_all)) return {too_old};
    return {no_driver, missing_driver(needs, workers)};
  }
  if (const auto* full = full_connection(needs, sessions)) return {connection_full, full->first, full->second};
  const bool room = std::ranges::any_of(workers, [&](const auto& one) { return one.free_slots > 0 && fits(one); });
  return {room ? none : no_slot};
}

}  // namespace pipekit
