#include "broker/modules.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/definitions/definitions.h"
#include "broker/store/snapshots.h"
#include "shared/codec.h"

namespace pipekit {
namespace {

constexpr size_t kMaxDefinitionBytes = 8U << 20U;  // it has to fit into an assignment
constexpr size_t kSmallCache = 64;
constexpr size_t kLongestName = 1000;  // a longer one is looked for, and not remembered

}  // namespace

Result<Module> Modules::find(const Json& ref) {
  if (ref.is_string() && ref.get_ref<const std::string&>().size() > kLongestName) {
    const auto id = definitions::resolve(db_, Kind::module, ref);
    if (!id) return id.error();
  }
  const auto key = ref.dump();
  if (const auto known = by_ref_.find(key); known != by_ref_.end()) return known->second;
  const auto id = definitions::resolve(db_, Kind::module, ref);
  if (!id) return id.error();
  auto definition = definitions::snapshot(db_, ModuleId{*id});
  if (!definition) return definition.error();
  Module module;
  module.id = ModuleId{*id};
  module.enabled = db_.value<bool>("SELECT enabled FROM module WHERE id = ?", *id).value_or(false);
  const auto bytes = to_json(*definition).dump().size();
  if (bytes > kMaxDefinitionBytes) {
    return Error{ErrorCode::kInvalid,
                 fmt::format("module {} with its watermarks and hooks has {} MiB of text; at most 8 MiB are allowed",
                             definition->name, bytes >> 20U),
                 "move long SQL into views or procedures of the database"};
  }
  const auto interned = store::snapshots::intern(db_, *definition);
  unsettled_ = unsettled_ || interned.added;
  module.snapshot_id = interned.id;
  module.definition = snapshot(module.snapshot_id);
  by_ref_[key] = module;
  return module;
}

void Modules::rolled_back() {
  if (!unsettled_) return;
  by_ref_.clear();
  by_snapshot_.clear();  // an id that was given and taken back will be given again
  unsettled_ = false;
}

std::shared_ptr<const ModuleSnapshot> Modules::snapshot(int64_t snapshot_id) {
  auto& cached = by_snapshot_[snapshot_id];
  auto definition = cached.lock();
  if (definition == nullptr) {
    definition = std::make_shared<const ModuleSnapshot>(store::snapshots::load(db_, snapshot_id));
    cached = definition;
    // Each entry is looked at once for each one that is added, however many there are.
    if (by_snapshot_.size() >= sweep_at_) {
      std::erase_if(by_snapshot_, [](const auto& entry) { return entry.second.expired(); });
      sweep_at_ = std::max(kSmallCache, 2 * by_snapshot_.size());
    }
  }
  return definition;
}

}  // namespace pipekit
