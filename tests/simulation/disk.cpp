#include "tests/simulation/disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "tests/simulation/disk_vfs.h"

namespace pipekit::simulation {

Disk::Disk(Random& random) : random_(random) { mount(this); }
Disk::~Disk() { mount(nullptr); }

std::shared_ptr<Disk::File> Disk::open(const std::string& path) {
  if (path.empty()) return std::make_shared<File>();  // a temporary file
  auto& file = files_[path];
  if (file == nullptr) file = std::make_shared<File>();
  return file;
}

int Disk::write(File& file, const void* bytes, size_t size, size_t at) {
  if (full_) return SQLITE_FULL;
  if (writes_left_ && --*writes_left_ <= 0) {
    process_dies();
    return SQLITE_IOERR_WRITE;
  }
  Write write;
  write.at = at;
  write.size_before = file.bytes.size();
  write.after.assign(static_cast<const char*>(bytes), size);
  if (at < file.bytes.size()) write.before = file.bytes.substr(at, size);
  if (at + size > file.bytes.size()) file.bytes.resize(at + size);
  std::memcpy(file.bytes.data() + at, bytes, size);
  file.unsynced.push_back(std::move(write));
  return SQLITE_OK;
}

int Disk::truncate(File& file, size_t size) {
  if (size >= file.bytes.size()) return SQLITE_OK;
  Write write;
  write.at = size;
  write.size_before = file.bytes.size();
  write.before = file.bytes.substr(size);
  write.truncates = true;
  file.bytes.resize(size);
  file.unsynced.push_back(std::move(write));
  return SQLITE_OK;
}

int Disk::sync(File& file) {
  if (failing_syncs_ > 0) {
    --failing_syncs_;
    return SQLITE_IOERR_FSYNC;
  }
  ++syncs_;
  file.unsynced.clear();
  return SQLITE_OK;
}

void Disk::undo(File& file) {
  for (auto write = file.unsynced.rbegin(); write != file.unsynced.rend(); ++write) {
    file.bytes.resize(write->size_before);
    std::ranges::copy(write->before, file.bytes.begin() + static_cast<std::ptrdiff_t>(write->at));
  }
}

// A disk writes in any order, and may have written a part of what it was writing when the power failed.
void Disk::redo_some(File& file) {
  for (const auto& write : file.unsynced) {
    if (!random_.chance(500)) continue;
    if (write.truncates) {
      if (write.at < file.bytes.size()) file.bytes.resize(write.at);
      continue;
    }
    const auto torn = random_.chance(200);
    const auto size =
        torn ? static_cast<size_t>(random_.between(0, static_cast<int64_t>(write.after.size()))) : write.after.size();
    if (write.at + size > file.bytes.size()) file.bytes.resize(write.at + size);
    std::copy_n(write.after.begin(), size, file.bytes.begin() + static_cast<std::ptrdiff_t>(write.at));
  }
  file.unsynced.clear();
}

void Disk::power_goes() {
  writes_left_.reset();
  for (auto& [path, file] : files_) {
    undo(*file);
    redo_some(*file);
    file->shared_memory.clear();
  }
}

}  // namespace pipekit::simulation
