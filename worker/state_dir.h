// The worker's state directory and its locks. An open StateDir proves that every child of every earlier worker on this
// directory is dead: each child inherits an open file of its own that holds a shared lock, an flock ends with the last
// holder of its open file, and opening waits until nobody holds one.
//
//   DIR/lock      locked while a worker lives; holds the worker's pid, for messages
//   DIR/children  locked, shared, while a child or anything that descends from it lives. No child holds a descriptor
//                 that can be written, or whose lock is another's
//   DIR/id        16 hex digits, made once: by it the broker knows that two incarnations share this directory. The
//                 lock's inode goes with it, because a copy of the directory has the digits, and a lock of its own
//   DIR/scratch   files of running attempts; emptied at open, when nobody can be using them any more
//
// Opened once by main, before threads are started. DIR must be on a local file system: over NFS an flock is not
// inherited. Refusals: kUnavailable when DIR is in use or cannot be made, kRefused when others may enter it,
// kInvalid when DIR/id is not what was written there.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "shared/error.h"
#include "shared/unique_fd.h"

namespace pipekit::worker {

class StateDir {
 public:
  // Creates DIR (0700) when absent. While the lock is held by others waits for it, up to the limit; told once through
  // on_wait, with a text for the log.
  static Result<StateDir> open(const std::filesystem::path& dir, std::chrono::milliseconds limit,
                               const std::function<void(const std::string&)>& on_wait = nullptr);

  // Refused when DIR is no longer what was opened, or scratch cannot be written: what is started now would only fail.
  [[nodiscard]] Result<void> check() const;

  // For SpawnSpec::lock_fd. Open as long as the StateDir.
  [[nodiscard]] int children_fd() const { return children_.get(); }
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const std::filesystem::path& scratch() const { return scratch_; }

 private:
  StateDir() = default;

  std::filesystem::path path_;
  std::filesystem::path scratch_;
  std::string id_;
  UniqueFd lock_;
  UniqueFd children_;
};

}  // namespace pipekit::worker
