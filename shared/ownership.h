// Whose files and directories a program relies on. Whoever owns a file, or can write into its directory, decides what
// is in it: a store or key of somebody else is not used, and a socket that somebody else may have bound is not spoken
// to. All refusals are kRefused (exit 6) and name the path, the fault and the command that ends it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "shared/error.h"

namespace pipekit {

inline constexpr auto kBrokerUser = "pipekit-broker";  // of the unit that is installed

// A file for its owner alone: no symbolic link, a regular file of this user or root, mode 0600 or less. Absent passes.
Result<void> check_private_file(const std::filesystem::path& file);
// A key file may be reached by a link of this user or root.
Result<void> check_key_file(const std::filesystem::path& file);
// A directory of this user or root into which nobody else may write. `others`: what the group and others may do.
Result<void> check_own_dir(const std::filesystem::path& dir, unsigned others);

// Of a broker's ipc socket: its directory belongs to root, to this user or to `broker_user`, and only its owner writes
// in it, so nobody else can have bound the socket. Where it does not exist yet, that holds for the nearest directory
// that does. `any_owner`: for root, who names other users' directories and learns nothing that they may not know.
Result<void> check_socket_dir(const std::filesystem::path& socket, const std::string& broker_user, bool any_owner);

}  // namespace pipekit
