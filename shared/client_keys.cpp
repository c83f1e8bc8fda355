#include "shared/client_keys.h"

#include <fmt/format.h>
#include <unistd.h>

#include "shared/endpoint.h"
#include "shared/ownership.h"

namespace pipekit {

Result<std::optional<ClientKeys>> client_keys(const std::string& endpoint, const ClientOptions& options) {
  if (is_ipc(endpoint)) {
    const auto user = options.broker_user.empty() ? kBrokerUser : options.broker_user;
    const bool any_owner = options.any_owner_as_root && ::geteuid() == 0;
    if (auto checked = check_socket_dir(socket_path(endpoint), user, any_owner); !checked) return checked.error();
    if (auto checked = check_may_connect(socket_path(endpoint)); !checked) return checked.error();
    return std::optional<ClientKeys>{};
  }
  if (options.key_file.empty() && options.broker_key.empty()) {
    return Error{
        ErrorCode::kRefused, fmt::format("{} is a tcp address, and Pipekit uses tcp only with keys", endpoint),
        "pipekit-ctl keys new FILE, then --key-file FILE --broker-key KEY (the broker's log has its key); on the "
        "broker's host use its ipc socket: --data-dir DIR"};
  }
  if (options.key_file.empty() || !is_key(options.broker_key)) {
    return Error{ErrorCode::kUsage,
                 options.key_file.empty()
                     ? "--broker-key needs a --key-file beside it"
                     : fmt::format("--broker-key \"{}\" is not a public key: it has 40 characters", options.broker_key),
                 "both are needed: --key-file FILE, your key, and --broker-key KEY, which is in the broker's log"};
  }
  auto own = read_key_file(options.key_file);
  if (!own) return own.error();
  return std::optional(ClientKeys{std::move(*own), options.broker_key});
}

Error handshake_refused(const std::string& endpoint, bool with_keys) {
  if (!with_keys) {
    return {ErrorCode::kRefused, fmt::format("the broker at {} requires a key", endpoint),
            "--key-file FILE --broker-key KEY"};
  }
  return {
      ErrorCode::kRefused, fmt::format("the broker at {} does not allow this key", endpoint),
      "an operator can allow it: pipekit-ctl keys allow NAME --role ROLE --public-key KEY; or --broker-key is not this "
      "broker's"};
}

}  // namespace pipekit
