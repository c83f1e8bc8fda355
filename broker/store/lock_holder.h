// Which other process has a lock on the store, for messages. Reads /proc/locks: opening the locked file and closing it
// again would drop this process's own locks.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace pipekit::store {

enum class LockKind { writing, reading };

// "process 1234 (sqlite3)"; nullopt: none is found, or this process has it.
std::optional<std::string> lock_holder(const std::filesystem::path& store, LockKind kind);

// The same from the text of /proc/locks, for the file with this inode; the process id. Pure.
std::optional<int> lock_holder_in(std::string_view locks, uint64_t inode, LockKind kind, int own_pid);

}  // namespace pipekit::store
