// Module definitions as runs use them. Equal ones of a module are one row.
#pragma once

#include "broker/store/database.h"

namespace pipekit::store::snapshots {

struct Interned {
  int64_t id = 0;
  bool added = false;  // by this call: gone again if its savepoint is rolled back
};
Interned intern(Database& db, const ModuleSnapshot& snapshot);
ModuleSnapshot load(Database& db, int64_t id);  // throws StoreError when it is not there or unreadable

}  // namespace pipekit::store::snapshots
