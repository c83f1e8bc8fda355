#include "tests/simulation/disk_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <new>

#include "tests/simulation/disk.h"

namespace pipekit::simulation {
namespace {

Disk* mounted = nullptr;

struct Handle {
  sqlite3_file base;
  std::shared_ptr<Disk::File> file;
  int64_t boot = 0;
  bool temporary = false;
};

Handle& handle_of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
// The process that opened it is dead.
bool is_dead(const Handle& handle) { return mounted == nullptr || handle.boot != mounted->boot(); }

int close(sqlite3_file* file) {
  handle_of(file).file.~shared_ptr();
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int size, sqlite3_int64 at) {
  const auto& handle = handle_of(file);
  if (is_dead(handle)) return SQLITE_IOERR_READ;
  const auto& bytes = handle.file->bytes;
  const auto from = std::min(static_cast<size_t>(at), bytes.size());
  const auto there = std::min(static_cast<size_t>(size), bytes.size() - from);
  std::memcpy(into, bytes.data() + from, there);
  if (there == static_cast<size_t>(size)) return SQLITE_OK;
  std::memset(static_cast<char*>(into) + there, 0, static_cast<size_t>(size) - there);
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
  auto& handle = handle_of(file);
  if (is_dead(handle)) return SQLITE_IOERR_WRITE;
  return mounted->write(*handle.file, from, static_cast<size_t>(size), static_cast<size_t>(at));
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  auto& handle = handle_of(file);
  if (is_dead(handle)) return SQLITE_IOERR_TRUNCATE;
  return mounted->truncate(*handle.file, static_cast<size_t>(size));
}

int sync(sqlite3_file* file, int) {
  auto& handle = handle_of(file);
  if (is_dead(handle)) return SQLITE_IOERR_FSYNC;
  return handle.temporary ? SQLITE_OK : mounted->sync(*handle.file);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(handle_of(file).file->bytes.size());
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) { return SQLITE_OK; }
int reserved(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return 512; }
// As SQLite's own VFS promises for a disk: an interrupted write damages no neighbouring data.
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int map_shared(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  auto& regions = handle_of(file).file->shared_memory;
  const auto index = static_cast<size_t>(region);
  *memory = nullptr;
  if (index >= regions.size() && extend == 0) return SQLITE_OK;
  while (regions.size() <= index) regions.push_back(std::make_unique<char[]>(static_cast<size_t>(size)));
  *memory = regions[index].get();
  return SQLITE_OK;
}
int lock_shared(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void barrier(sqlite3_file*) {}
int unmap_shared(sqlite3_file* file, int remove) {
  if (remove != 0) handle_of(file).file->shared_memory.clear();
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {
    2,        close,   read,        write,           truncate,   sync,        file_size, lock,         lock,
    reserved, control, sector_size, characteristics, map_shared, lock_shared, barrier,   unmap_shared, nullptr,
    nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* handle = reinterpret_cast<Handle*>(file);
  handle->base.pMethods = nullptr;
  if (mounted == nullptr) return SQLITE_CANTOPEN;
  new (&handle->file) std::shared_ptr<Disk::File>(mounted->open(name == nullptr ? "" : name));
  handle->boot = mounted->boot();
  handle->temporary = name == nullptr;
  handle->base.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs*, const char* name, int) {
  if (mounted != nullptr) mounted->remove(name);
  return SQLITE_OK;
}
int access(sqlite3_vfs*, const char* name, int, int* there) {
  *there = mounted != nullptr && mounted->exists(name) ? 1 : 0;
  return SQLITE_OK;
}
int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}
// Used only for temporary names and the salts of the WAL; always the same, so that a seed replays.
int randomness(sqlite3_vfs*, int size, char* out) {
  for (int i = 0; i < size; ++i) out[i] = static_cast<char>(i * 37 + 11);
  return size;
}
int sleep(sqlite3_vfs*, int microseconds) { return microseconds; }
int time_ms(sqlite3_vfs*, sqlite3_int64* now) {
  constexpr sqlite3_int64 kJulianMsOf2026March1 = 212'639'040'000'000;
  *now = kJulianMsOf2026March1;
  return SQLITE_OK;
}
int time_days(sqlite3_vfs* vfs, double* now) {
  sqlite3_int64 ms = 0;
  time_ms(vfs, &ms);
  *now = static_cast<double>(ms) / 86'400'000.0;
  return SQLITE_OK;
}

sqlite3_vfs vfs() {
  sqlite3_vfs made{};
  made.iVersion = 2;
  made.szOsFile = sizeof(Handle);
  made.mxPathname = 1024;
  made.zName = "simulated-disk";
  made.xOpen = open;
  made.xDelete = remove;
  made.xAccess = access;
  made.xFullPathname = full_path;
  made.xRandomness = randomness;
  made.xSleep = sleep;
  made.xCurrentTime = time_days;
  made.xCurrentTimeInt64 = time_ms;
  return made;
}

}  // namespace

void mount(Disk* disk) {
  static sqlite3_vfs simulated = vfs();
  if (disk != nullptr) sqlite3_vfs_register(&simulated, 1);
  mounted = disk;
  sqlite3_randomness(0, nullptr);  // restart SQLite's random generator
}

}  // namespace pipekit::simulation
