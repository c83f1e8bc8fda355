#include "shared/protocol_version.h"

namespace pipekit {

// 2 brought DropTask.
ProtocolVersions spoken_versions() { return {1, 2}; }

}  // namespace pipekit
