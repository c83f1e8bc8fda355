// Whether what a definition refers to exists: in the store, or beside it in the same document. A reference inside a
// definition is always a name; an id may stand for a name only where a verb's argument names one object (id_for).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

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

  // A problem for each reference that names nothing.
  void check(Kind kind, const Json& definition, const std::string& path, Problems& problems);

 private:
  bool exists(Kind kind, const std::string& name);
  Problem unknown(Kind kind, const std::string& name, const std::string& path);
  // The names of this kind, in the store and listed; read once.
  const std::vector<std::string>& known(Kind kind);

  Database& db_;
  bool prune_;
  std::map<Kind, std::set<std::string>> listed_;
  std::map<Kind, std::vector<std::string>> known_;
};

// The dialect of a connection in the store, by name or id; generic when there is none.
SqlDialect dialect_in(Database& db, const Json& connection);
std::string url_template_in(Database& db, const Json& driver);

// The id that a ref (definitions.h) names.
std::optional<int64_t> id_for(Database& db, Kind kind, const Json& ref);

}  // namespace pipekit::definitions
