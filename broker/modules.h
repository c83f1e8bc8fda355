// A cache of modules as commands name them and as runs use them, so that a submit needs no query but its own. Only for
// the writer. Call invalidate() after every change of a definition.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "broker/store/database.h"
#include "shared/error.h"

namespace pipekit {

struct Module {
  ModuleId id;
  bool enabled = true;
  int64_t snapshot_id = 0;
  std::shared_ptr<const ModuleSnapshot> definition;
};

class Modules {
 public:
  explicit Modules(store::Database& db) : db_(db) {}

  // By name or id; kNotFound names the nearest.
  Result<Module> find(const Json& ref);
  // Of a run that was submitted earlier.
  std::shared_ptr<const ModuleSnapshot> snapshot(int64_t snapshot_id);
  void invalidate() {
    by_ref_.clear();
    ++generation_;
  }
  // Changes with every change of a definition, including one that was rolled back.
  [[nodiscard]] int64_t generation() const { return generation_; }

  // The savepoint in which snapshots were added was released, or rolled back and they with it.
  void settle() { unsettled_ = false; }
  void rolled_back();

 private:
  store::Database& db_;
  std::map<std::string, Module> by_ref_;
  std::map<int64_t, std::weak_ptr<const ModuleSnapshot>> by_snapshot_;
  size_t sweep_at_ = 0;  // entries, expired ones included
  bool unsettled_ = false;
  int64_t generation_ = 0;
};

}  // namespace pipekit
