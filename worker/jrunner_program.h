// Which jrunner a worker uses, and whether it is the bundled one.
#pragma once

#include <string>

#include "shared/error.h"

namespace pipekit::worker {

struct JrunnerProgram {
  std::string path;
  bool bundled = false;  // takes `-scp env:NAME`; any other gets its passwords as the contract says, as arguments
};

// `given`: --jrunner, a path or a name in PATH; empty: pipekit-jrunner beside this program, then in PATH. kUnavailable
// when there is none. The bundled one is known by what `--version` prints.
Result<JrunnerProgram> find_jrunner(const std::string& given);

}  // namespace pipekit::worker
