// The broker's disk, as an SQLite VFS: files in memory, of which only synced data is certain to survive a power
// failure. While it is mounted, every Database that this process opens is on it; one disk at a time. Every lock is
// granted: one broker has one connection.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/random.h"

namespace pipekit::simulation {

class Disk {
 public:
  explicit Disk(Random& random);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // Every open file belongs to a process that is now dead and can no longer use it.
  void process_dies() { ++boot_; }
  // The same for the whole host: each write that was not synced may be lost, or torn. Call after process_dies().
  void power_goes();

  void set_full(bool full) { full_ = full; }
  // The next sync reports failure.
  void fail_next_sync() { failing_syncs_ = 1; }
  // The process dies in its n-th write from now.
  void die_at_write(int64_t n) { writes_left_ = n; }
  [[nodiscard]] bool dying() const { return writes_left_.has_value(); }

  [[nodiscard]] int64_t syncs() const { return syncs_; }

  struct Write {
    size_t at = 0;
    std::string before;  // the previous content; shorter if the file ended there
    std::string after;
    size_t size_before = 0;
    bool truncates = false;
  };
  struct File {
    std::string bytes;
    std::vector<Write> unsynced;
    std::vector<std::unique_ptr<char[]>> shared_memory;
  };

  // Called by the VFS; they return SQLite's result codes.
  std::shared_ptr<File> open(const std::string& path);
  bool exists(const std::string& path) const { return files_.contains(path); }
  void remove(const std::string& path) { files_.erase(path); }
  [[nodiscard]] int64_t boot() const { return boot_; }
  int write(File& file, const void* bytes, size_t size, size_t at);
  int truncate(File& file, size_t size);
  int sync(File& file);

 private:
  static void undo(File& file);
  void redo_some(File& file);

  Random& random_;
  std::map<std::string, std::shared_ptr<File>> files_;
  int64_t boot_ = 0;
  int64_t syncs_ = 0;
  bool full_ = false;
  int failing_syncs_ = 0;
  std::optional<int64_t> writes_left_;
};

}  // namespace pipekit::simulation
