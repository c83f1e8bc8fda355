// Whose each worker name is: of the identity (identity_of, sender.h) that used it first.
#pragma once

#include <optional>
#include <string>

#include "broker/store/database.h"
#include "shared/clock.h"

namespace pipekit::store::worker_names {

inline constexpr int64_t kMostOfOne = 1000;

enum class Claim { granted, of_another, too_many };
// Takes the name if nobody has it.
Claim claim(Database& db, const std::string& name, const std::string& identity, WallTime now);

// Whose it was; nullopt: nobody's.
std::optional<std::string> release(Database& db, const std::string& name);

}  // namespace pipekit::store::worker_names
