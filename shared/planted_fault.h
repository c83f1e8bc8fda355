// Guards that a test breaks on purpose, to see that it would notice: PLANTED("name") stands at the guard and is false
// until plant("name") was called in this process, or PIPEKIT_PLANTED_FAULT=name stood in its environment. Constant
// false, and nothing at all in the program, without PIPEKIT_FAILPOINTS. One fault at a time; not for several threads.
#pragma once

#ifdef PIPEKIT_FAILPOINTS

#include <string>
#include <string_view>

namespace pipekit {

bool planted(std::string_view name);
// Empty: none.
void plant(std::string_view name);

// While it lives the fault is there.
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
