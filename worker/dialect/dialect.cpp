#include "worker/dialect/dialect.h"

#include "worker/dialect/postgresql.h"
#include "worker/dialect/sqlite.h"

namespace pipekit::worker {

const Dialect* dialect_for(std::string_view jdbc_url) {
  if (jdbc_url.starts_with("jdbc:sqlite:")) return &sqlite_dialect();
  if (jdbc_url.starts_with("jdbc:postgresql:")) return &postgresql_dialect();
  return nullptr;
}

}  // namespace pipekit::worker
