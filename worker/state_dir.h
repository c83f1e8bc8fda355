// The worker's state directory and its locks. An open StateDir proves that every child of every earlier worker on this
// directory is dead: each child inherits an open file of its own that holds a shared lock, an flock ends with the last
// holder of its open file, and opening waits until nobody holds one.
//
//   DIR/lock      locked while a worker lives; holds the worker's pid, for messages
//   DIR/children  locked, shared, while a child or anything that descends from it lives. No child holds a descriptor
//                 that can be written, or whose lock is another's
//   DIR/id        16 hex digits, created once: they tell the broker that two incarnations share this directory. The
//                 lock's inode is added, because a copy of the directory has the same digits but its own lock
//   DIR/scratch   files of running attempts; emptied at open, when nobody can be using them any more
//
// Opened once by main, before threads are started. DIR must be on a local file system: over NFS an flock is not
// inherited. kUnavailable when DIR is in use or cannot be created, kRefused when others can access it, kInvalid when
// DIR/id is not what was written there.
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
  // Creates DIR (0700) if there is none. Waits, up to the limit, while others hold a lock, and says so once through
  // on_wait with a text for the log.
  static Result<StateDir> open(const std::filesystem::path& dir, std::chrono::milliseconds limit,
                               const std::function<void(const std::string&)>& on_wait = nullptr);

  // An error when DIR is no longer what was opened, or scratch cannot be written: new runs could only fail.
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
