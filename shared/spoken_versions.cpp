#include "shared/protocol_version.h"

namespace pipekit {

// 2 brought DropTask; 3 merge_method: an older worker would replace the rows that it is to update.
ProtocolVersions spoken_versions() { return {1, 3}; }

}  // namespace pipekit
