// Databases for the measurements of modules: a SQLite file with a small table, and one with the same table, empty. The
// sqlite3 shell creates them.
#pragma once

#include <string>
#include <vector>

#include "shared/protocol.h"
#include "tests/support/temp_dir.h"

namespace pipekit::bench {

// Executes statements in the file and creates it if it does not exist.
void execute_sqlite(const std::string& file, const std::string& sql);

struct TablePair {
  std::string name;
  std::string source;  // files
  std::string destination;

  static TablePair make(const test::TempDir& dir, const std::string& name, int rows);
  // A definition document: connections and one module of each name between them. A module has a watermark, a merge key
  // and a hook, so that a run of it has all steps; each run moves all rows.
  [[nodiscard]] Json document(const std::vector<std::string>& modules) const;
};

}  // namespace pipekit::bench
