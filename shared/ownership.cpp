#include "shared/ownership.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace pipekit {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kOthers = S_IRWXG | S_IRWXO;
constexpr unsigned kOthersWrite = S_IWGRP | S_IWOTH;

std::string name_of(uid_t uid) {
  const passwd* user = ::getpwuid(uid);
  return user != nullptr ? user->pw_name : fmt::format("uid {}", uid);
}

std::string own_name() { return name_of(::geteuid()); }

bool is_own(uid_t uid) { return uid == 0 || uid == ::geteuid(); }

Error foreign(const fs::path& path, uid_t uid) {
  return {ErrorCode::kRefused,
          fmt::format("{} belongs to {}, and this program runs as {}", path.string(), name_of(uid), own_name()),
          fmt::format("run it as that user, or: chown {} {}", own_name(), path.string())};
}

Error is_link(const fs::path& path) {
  return {ErrorCode::kRefused, fmt::format("{} is a symbolic link", path.string()),
          "replace it with the file itself: the owner of a link decides where it leads"};
}

Error wrong_mode(const fs::path& path, unsigned mode, unsigned more) {
  return {ErrorCode::kRefused,
          fmt::format("{} has mode {:04o}: users other than its owner can {} it", path.string(), mode & 07777U,
                      (more & ~kOthersWrite) == 0 ? "write to" : "access"),
          fmt::format("chmod {:04o} {}", (mode & 07777U) & ~more, path.string())};
}

// Each symbolic link on the path, whose owner decides where it leads, and each directory above, where everybody could
// put another one in place of the next.
Result<void> check_way(const fs::path& path) {
  const auto full = fs::absolute(path);
  fs::path so_far;
  for (const auto& part : full) {
    so_far /= part;
    struct stat found {};
    if (::lstat(so_far.c_str(), &found) != 0) return {};
    if (S_ISLNK(found.st_mode)) {
      if (!is_own(found.st_uid)) return foreign(so_far, found.st_uid);
      if (::stat(so_far.c_str(), &found) != 0) return {};
    }
    const bool open = (found.st_mode & S_IWOTH) != 0 && (found.st_mode & S_ISVTX) == 0;
    if (open && S_ISDIR(found.st_mode) && so_far != full) return wrong_mode(so_far, found.st_mode, S_IWOTH);
  }
  return {};
}

std::optional<uid_t> uid_of(const std::string& user) {
  const passwd* found = user.empty() ? nullptr : ::getpwnam(user.c_str());
  return found == nullptr ? std::nullopt : std::optional(found->pw_uid);
}

Result<void> check_file(const fs::path& file, const struct stat& found) {
  if (!S_ISREG(found.st_mode)) {
    return Error{ErrorCode::kUsage, fmt::format("{} is not a regular file", file.string())};
  }
  if (!is_own(found.st_uid)) return foreign(file, found.st_uid);
  const unsigned more = found.st_mode & kOthers;
  return more == 0 ? Result<void>() : wrong_mode(file, found.st_mode, more);
}

}  // namespace

Result<void> check_private_file(const fs::path& file) {
  struct stat found {};
  if (::lstat(file.c_str(), &found) != 0) return {};
  return S_ISLNK(found.st_mode) ? is_link(file) : check_file(file, found);
}

Result<void> check_key_file(const fs::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return {};
  if (auto way = check_way(file); !way) return way;
  return check_file(file, found);
}

Result<void> check_own_dir(const fs::path& dir, unsigned others) {
  struct stat found {};
  if (::stat(dir.c_str(), &found) != 0) return {};
  if (auto way = check_way(dir); !way) return way;
  if (!is_own(found.st_uid)) return foreign(dir, found.st_uid);
  const unsigned more = found.st_mode & kOthers & ~others;
  return more == 0 ? Result<void>() : wrong_mode(dir, found.st_mode, more);
}

Result<void> check_socket_dir(const fs::path& socket, const std::string& broker_user, bool any_owner) {
  auto dir = socket.parent_path();
  struct stat found {};
  while (::stat(dir.c_str(), &found) != 0) {
    if (dir == dir.parent_path()) return {};
    dir = dir.parent_path();
  }
  if (auto way = check_way(dir); !way && !any_owner) return way;
  const auto service = uid_of(broker_user);
  if (!any_owner && !is_own(found.st_uid) && found.st_uid != service) {
    return Error{
        ErrorCode::kRefused,
        fmt::format("{} belongs to {}: a socket in it need not be the broker's", dir.string(), name_of(found.st_uid)),
        fmt::format("the directory must belong to root, to {} or to the user {}; --broker-user NAME names another "
                    "user of the broker",
                    own_name(), broker_user)};
  }
  if ((found.st_mode & kOthersWrite) != 0) {
    return Error{
        ErrorCode::kRefused,
        fmt::format("{} has mode {:04o}: users other than its owner can create sockets in it, and act as the broker",
                    dir.string(), found.st_mode & 07777U),
        fmt::format("use a directory of the broker's own, with mode 0755 or less")};
  }
  struct stat itself {};
  if (::lstat(socket.c_str(), &itself) == 0 && S_ISLNK(itself.st_mode)) return is_link(socket);
  return {};
}

Result<void> check_may_connect(const fs::path& socket) {
  if (::faccessat(AT_FDCWD, socket.c_str(), R_OK | W_OK, AT_EACCESS) == 0 || errno != EACCES) return {};
  const Error refused{ErrorCode::kRefused,
                      fmt::format("the user {} may not connect to {}", own_name(), socket.string()),
                      "connect as the user that the broker runs as"};
  struct stat found {};
  if (::stat(socket.c_str(), &found) != 0 || (found.st_mode & S_IWGRP) == 0) return refused;
  const group* owner = ::getgrgid(found.st_gid);
  return Error{refused.code, refused.message,
               fmt::format("only members of the group {} may: usermod -aG {} {}",
                           owner != nullptr ? owner->gr_name : "of the socket",
                           owner != nullptr ? owner->gr_name : "GROUP", own_name())};
}

}  // namespace pipekit
