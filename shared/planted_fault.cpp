#include "shared/planted_fault.h"

#ifdef PIPEKIT_FAILPOINTS

#include <cstdlib>

namespace pipekit {
namespace {

std::string from_environment() {
  const char* name = std::getenv("PIPEKIT_PLANTED_FAULT");
  return name == nullptr ? "" : std::string("PLANTED_FAULT:") + name;
}

std::string& the_fault() {
  static std::string name = from_environment();
  return name;
}

}  // namespace

bool planted(std::string_view name) { return the_fault() == name; }
void plant(std::string_view name) { the_fault() = name; }

}  // namespace pipekit

#endif
