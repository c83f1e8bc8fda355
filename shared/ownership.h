// Checks of the owner and mode of files and directories. The owner of a file, and everybody who can write into its
// directory, decide what is in it: a program does not use a store or key of another user, and does not connect to a
// socket that another user may have bound. Refusals are kRefused (exit 6) and name the path, the problem and the
// command that fixes it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "shared/error.h"

namespace pipekit {

inline constexpr auto kBrokerUser = "pipekit-broker";  // the user in the installed unit

// A file for its owner alone: no symbolic link, a regular file of this user or root, mode 0600 or less. Absent passes.
Result<void> check_private_file(const std::filesystem::path& file);
// A key file may be reached by a link of this user or root.
Result<void> check_key_file(const std::filesystem::path& file);
// A directory of this user or root into which no other user can write. `others`: the access that the group and others
// may have.
Result<void> check_own_dir(const std::filesystem::path& dir, unsigned others);

// The directory of a broker's ipc socket belongs to root, to this user or to `broker_user`, and only its owner can
// write in it, so no other user can have bound the socket. If it does not exist yet, the same holds for the nearest
// directory that does. `any_owner`: for root, who may name other users' directories.
Result<void> check_socket_dir(const std::filesystem::path& socket, const std::string& broker_user, bool any_owner);

// kRefused when the socket exists, but this user may not connect to it. ZeroMQ would try again for ever without a word.
Result<void> check_may_connect(const std::filesystem::path& socket);

}  // namespace pipekit
