// A fresh directory under $TMPDIR, /tmp or the given parent, removed with everything in it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace pipekit::test {

class TempDir {
 public:
  explicit TempDir(const std::filesystem::path& parent = std::filesystem::temp_directory_path());
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // The path of a file in it, whether or not it exists.
  [[nodiscard]] std::string file(std::string_view name) const { return path_ / name; }
  // Writes a file in it and returns its path.
  std::string write(std::string_view name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

// A directory in memory if there is one, for stores, which would wait for a busy disk. Put nothing large there.
std::filesystem::path memory_directory();

std::string read_file(const std::filesystem::path& path);

}  // namespace pipekit::test
