#include "shared/protocol_version.h"

#include <fmt/format.h>

#include <algorithm>

namespace pipekit {

std::optional<int64_t> common_version(const ProtocolVersions& one, const ProtocolVersions& other) {
  const auto newest = std::min(one.newest, other.newest);
  if (newest < std::max(one.oldest, other.oldest)) return std::nullopt;
  return newest;
}

std::string to_string(const ProtocolVersions& versions) {
  if (versions.oldest == versions.newest) return fmt::format("version {}", versions.newest);
  return fmt::format("versions {} to {}", versions.oldest, versions.newest);
}

}  // namespace pipekit
