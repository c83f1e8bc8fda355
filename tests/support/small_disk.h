// A file system of three megabytes that exists during the test. Not available where mounting is not permitted.
#pragma once

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace pipekit::test {

class SmallDisk {
 public:
  SmallDisk();
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] std::filesystem::path path() const { return dir_.path(); }
  // Fills it to the last block.
  void fill() const;
  void make_room() const;
  // Makes it read-only, also for root.
  void make_read_only() const;

 private:
  TempDir dir_;
  bool mounted_ = false;
};

}  // namespace pipekit::test
