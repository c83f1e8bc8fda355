#include "shared/planted_fault.h"

#ifdef PIPEKIT_FAILPOINTS

namespace pipekit {
namespace {

std::string& the_fault() {
  static std::string name;
  return name;
}

}  // namespace

bool planted(std::string_view name) { return the_fault() == name; }
void plant(std::string_view name) { the_fault() = name; }

}  // namespace pipekit

#endif
