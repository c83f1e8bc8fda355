// An ipc socket of the broker, beside ZeroMQ's binding of it: that no other broker has it, and who may open it. ZeroMQ
// removes whatever is at the path that it binds, a living broker's socket too.
#pragma once

#include <optional>
#include <string>

#include "shared/error.h"
#include "shared/unique_fd.h"

namespace pipekit {

class LocalSocket {
 public:
  // Before the bind. Takes PATH.lock, and keeps it as long as this object: kUsage when another process listens there,
  // kRefused when the directory is one in which others can create sockets.
  static Result<LocalSocket> take(const std::string& endpoint);
  // After it: the socket is for this user alone ("") or for a group, too.
  Result<void> open_to(const std::string& group) const;

 private:
  std::string path_;
  UniqueFd lock_;
};

}  // namespace pipekit
