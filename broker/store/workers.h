// The workers that the broker has met, so that it knows after a restart whom to expect.
#pragma once

#include <optional>
#include <vector>

#include "broker/store/database.h"
#include "broker/workers.h"

namespace pipekit::store::workers {

void save(Database& db, const Worker& worker, WallTime now);
void mark(Database& db, const std::string& name, const std::string& state, WallTime now);  // lost, left
std::vector<Worker> load_connected(Database& db);

// Also while only its lease lasts.
bool is_connected(Database& db, const std::string& name);

bool drained(Database& db, const std::string& name);
// Whether it was before; nullopt: no such worker.
std::optional<bool> drain(Database& db, const std::string& name, bool drained);

}  // namespace pipekit::store::workers
