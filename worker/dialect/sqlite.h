// SQLite, 3.37 or later (UPDATE … FROM, pragma_table_list). The lock covers the file, so setup is part of the
// claim and there are no sessions to end.
#pragma once

#include "worker/dialect/dialect.h"

namespace pipekit::worker {

const Dialect& sqlite_dialect();

}  // namespace pipekit::worker
