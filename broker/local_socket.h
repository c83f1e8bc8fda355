// Guards an ipc socket that ZeroMQ binds: no other broker uses it, and only the right users can open it. ZeroMQ removes
// whatever is at the path that it binds, even the socket of a running broker.
#pragma once

#include <optional>
#include <string>

#include "shared/error.h"
#include "shared/unique_fd.h"

namespace pipekit {

class LocalSocket {
 public:
  // Before the bind. Locks PATH.lock as long as this object lives: kUsage when another process listens there, kRefused
  // when other users can create sockets in the directory.
  static Result<LocalSocket> take(const std::string& endpoint);
  // After the bind: lets a group use the socket, too; "": this user only.
  Result<void> open_to(const std::string& group) const;

 private:
  std::string path_;
  UniqueFd lock_;
};

}  // namespace pipekit
