// A disk that fails on request, for one program of a test: its writes, or the calls that make them durable, return an
// error. Other programs are not affected. One thread.
#pragma once

#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace pipekit::test {

class FailingDisk {
 public:
  // The variables for that program's environment.
  [[nodiscard]] std::vector<std::string> env() const;
  // From now on, with EIO, ENOSPC or another error.
  void fail_writes(int error) const;
  void fail_syncs(int error) const;
  void work() const;

 private:
  void fail(const std::string& call, int error) const;

  TempDir dir_{memory_directory()};
};

}  // namespace pipekit::test
