#include "worker/process.h"

namespace pipekit::worker {
namespace {}
}  // namespace pipekit::worker
