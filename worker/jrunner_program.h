// Which jrunner a worker uses, and whether it is the bundled one.
#pragma once

#include <string>

#include "shared/error.h"
#include "worker/child_environment.h"

namespace pipekit::worker {

struct JrunnerProgram {
  std::string path;
  bool bundled = false;
};

// `given`: --jrunner, a path or a name in PATH; empty: pipekit-jrunner beside this program, then in PATH. kUnavailable
// when there is none. The bundled one is known by what `--version` prints; it is started in `environment` for that.
Result<JrunnerProgram> find_jrunner(const std::string& given, const Variables& environment);

}  // namespace pipekit::worker
