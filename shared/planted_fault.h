// Guards that a test disables on purpose, to check that it would notice: PLANTED("name") is written at the guard and is
// false until plant("name") was called in this process, or PIPEKIT_PLANTED_FAULT=name was in its environment. Without
// PIPEKIT_FAILPOINTS it is constant false, and nothing of it is in the program. One fault at a time, for one thread.
#pragma once

#ifdef PIPEKIT_FAILPOINTS

#include <string>
#include <string_view>

namespace pipekit {

bool planted(std::string_view name);
// Empty: none.
void plant(std::string_view name);

// The fault is planted while this object lives.
class PlantedFault {
 public:
  explicit PlantedFault(std::string_view name) { plant("PLANTED_FAULT:" + std::string(name)); }
  ~PlantedFault() { plant(""); }
  PlantedFault(const PlantedFault&) = delete;
  PlantedFault& operator=(const PlantedFault&) = delete;
};

}  // namespace pipekit

// script/test looks for this prefix in what is installed.
#define PLANTED(name) ::pipekit::planted("PLANTED_FAULT:" name)
#else
#define PLANTED(name) false
#endif
