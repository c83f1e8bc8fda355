#include "shared/client_keys.h"

#include <fmt/format.h>

#include "shared/endpoint.h"

namespace pipekit {

Result<std::optional<ClientKeys>> client_keys(const std::string& endpoint, const std::string& key_file,
                                              const std::string& broker_key) {
  if (key_file.empty() && broker_key.empty()) {
    if (is_local(endpoint)) return std::optional<ClientKeys>{};
    return Error{ErrorCode::kRefused, fmt::format("{} is on another host: it is spoken to with keys only", endpoint),
                 "pipekit-ctl keys new FILE, then --key-file FILE --broker-key KEY; the broker's log tells its key"};
  }
  if (endpoint.starts_with("ipc://")) return std::optional<ClientKeys>{};  // never encrypted
  if (key_file.empty() || !is_key(broker_key)) {
    return Error{ErrorCode::kUsage,
                 key_file.empty()
                     ? "--broker-key needs a --key-file beside it"
                     : fmt::format("--broker-key \"{}\" is not a public key: it has 40 characters", broker_key),
                 "both are needed: --key-file FILE, one's own, and --broker-key KEY, which the broker's log tells"};
  }
  auto own = read_key_file(key_file);
  if (!own) return own.error();
  return std::optional(ClientKeys{std::move(*own), broker_key});
}

Error handshake_refused(const std::string& endpoint, bool with_keys) {
  if (!with_keys) {
    return {ErrorCode::kRefused, fmt::format("the broker at {} wants to know who asks", endpoint),
            "--key-file FILE --broker-key KEY"};
  }
  return {
      ErrorCode::kRefused, fmt::format("the broker at {} does not allow this key", endpoint),
      "an operator allows it: pipekit-ctl keys allow NAME --role ROLE --public-key KEY; or --broker-key is not this "
      "broker's"};
}

}  // namespace pipekit
