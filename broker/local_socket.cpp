#include "broker/local_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "shared/endpoint.h"
#include "shared/ownership.h"

namespace pipekit {
namespace {

Error cannot_listen(const std::string& path, const std::string& why, const std::string& hint) {
  return {ErrorCode::kUsage, fmt::format("cannot listen on ipc://{}: {}", path, why), hint};
}

Error in_use(const std::string& path) {
  return cannot_listen(path, "another process listens there", "stop that one, or choose another endpoint");
}

// An older broker takes no lock, but accepts connections.
bool is_answered(const std::string& path) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN;
}

}  // namespace

Result<LocalSocket> LocalSocket::take(const std::string& endpoint) {
  LocalSocket socket;
  socket.path_ = socket_path(endpoint);
  if (auto safe = check_socket_dir(socket.path_, "", false); !safe) return safe.error();
  const auto lock_path = socket.path_ + ".lock";
  socket.lock_ = UniqueFd(::open(lock_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!socket.lock_) {
    const bool rights = errno == EACCES || errno == EPERM || errno == EROFS;
    auto error = cannot_listen(socket.path_, strerror(errno), "choose another endpoint, or create its directory");
    if (rights) error.code = ErrorCode::kRefused;
    return error;
  }
  if (auto safe = check_private_file(lock_path); !safe) return safe.error();
  if (::flock(socket.lock_.get(), LOCK_EX | LOCK_NB) != 0 || is_answered(socket.path_)) return in_use(socket.path_);
  return socket;
}

Result<void> LocalSocket::open_to(const std::string& group) const {
  if (group.empty()) return {};
  const auto* found = ::getgrnam(group.c_str());
  if (found == nullptr) {
    return Error{ErrorCode::kUsage, fmt::format("there is no group \"{}\" for {}", group, path_),
                 fmt::format("create it: groupadd --system {}", group)};
  }
  // First the group, while nobody but the owner may connect.
  if (::chown(path_.c_str(), static_cast<uid_t>(-1), found->gr_gid) == 0 && ::chmod(path_.c_str(), 0660) == 0)
    return {};
  return Error{ErrorCode::kRefused, fmt::format("cannot give {} to the group {}: {}", path_, group, strerror(errno)),
               fmt::format("make the broker's user a member of the group {}", group)};
}

}  // namespace pipekit
