// PostgreSQL, 14 or later (client_connection_check_interval). Names without a schema follow the search_path.
#pragma once

#include "worker/dialect/dialect.h"

namespace pipekit::worker {

const Dialect& postgresql_dialect();

}  // namespace pipekit::worker
