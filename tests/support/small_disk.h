// A file system of three megabytes, for as long as the test lives; where mounting is not permitted there is none.
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
  // To the last block.
  void fill() const;
  void make_room() const;
  // Nothing can be written any more, by root either.
  void make_read_only() const;

 private:
  TempDir dir_;
  bool mounted_ = false;
};

}  // namespace pipekit::test
