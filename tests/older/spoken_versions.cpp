// Linked instead of shared/spoken_versions.cpp into pipekit-broker-older and pipekit-worker-older
// (tests/fault/rolling_upgrade_test.cpp).
#include "shared/protocol_version.h"

namespace pipekit {

ProtocolVersions spoken_versions() { return {1, 1}; }

}  // namespace pipekit
