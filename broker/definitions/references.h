// Whether what a definition refers to exists: in the store, or beside it in the same document.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "broker/definitions/problem.h"
#include "broker/store/database.h"
#include "shared/definition_fields.h"
#include "shared/protocol.h"
#include "shared/sql_scanner.h"

namespace pipekit::definitions {

using store::Database;

class References {
 public:
  // With `prune` only drivers of the store count: what the document does not list will be gone.
  explicit References(Database& db, bool prune = false) : db_(db), prune_(prune) {}

  void list(Kind kind, const std::string& name) { listed_[kind].insert(name); }

  // Puts names in place of ids; a problem for each that names nothing.
  void resolve(Kind kind, Json& definition, const std::string& path, Problems& problems);

 private:
  std::optional<std::string> name_for(Kind kind, const Json& ref);
  Problem unknown(Kind kind, const Json& ref, const std::string& path);

  Database& db_;
  bool prune_;
  std::map<Kind, std::set<std::string>> listed_;
};

// The dialect of a connection in the store, by name or id; generic when there is none.
SqlDialect dialect_in(Database& db, const Json& connection);

// The id that a ref (definitions.h) names.
std::optional<int64_t> id_for(Database& db, Kind kind, const Json& ref);

}  // namespace pipekit::definitions
