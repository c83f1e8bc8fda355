// Whether a file is a store of Pipekit, before anything is opened that could change it: opening a database for writing
// converts its journal, and adds files beside it.
#pragma once

#include <cstdint>
#include <filesystem>

#include "shared/error.h"

namespace pipekit::store {

inline constexpr int64_t kApplicationId = 0x50'69'70'65;  // "Pipe", in the header of the file

// kInvalid for somebody else's database. What is not there, empty or no database at all passes.
Result<void> check_own_store(const std::filesystem::path& file);

}  // namespace pipekit::store
