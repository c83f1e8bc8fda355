// The statements around fence and merge that engines with standard SQL share, one function a statement, without its
// `;`. FENCE.md proves the shapes: the order of statements and the guard's place in VALUES are not style. Pure.
#pragma once

#include <string>
#include <string_view>

#include "worker/dialect/dialect.h"

namespace pipekit::worker {

class FenceSql {
 public:
  struct Engine {
    std::string_view fence;  // the two tables, as they stand in a script
    std::string_view merged;
    std::string_view now;  // an expression
    std::string (*literal)(std::string_view);
  };
  constexpr explicit FenceSql(const Engine& engine) : engine_(engine) {}

  // Raises the epoch of this store's row, or makes the row; another store's row and a higher epoch stay.
  [[nodiscard]] std::string raise(const FenceKey& key) const;
  // Earlier runs of the module are final while its lock is held. By module: others' merges would be waited for.
  [[nodiscard]] std::string trim(const FenceKey& key) const;
  [[nodiscard]] std::string answer(const FenceKey& key) const;
  [[nodiscard]] std::string close(const FenceKey& key) const;
  [[nodiscard]] std::string take_over(const FenceKey& key, std::string_view from_store) const;
  // Locks the row to the end of the transaction.
  [[nodiscard]] std::string touch(const FenceKey& key) const;
  // The guard: a scalar subquery into a NOT NULL column. NULL, and so an error, unless the fence holds this epoch, is
  // open, and staging has the rows that were verified. INSERT … SELECT … WHERE would insert nothing and go on.
  [[nodiscard]] std::string record_merge(const FenceKey& key, const MergePlan& plan) const;

 private:
  [[nodiscard]] std::string place(const FenceKey& key) const;
  [[nodiscard]] std::string mine(const FenceKey& key) const;
  [[nodiscard]] std::string lit(std::string_view text) const { return engine_.literal(text); }

  Engine engine_;
};

// Rows of the destination whose key stands in staging. A NULL in a key matches nothing.
std::string delete_matching(const MergePlan& plan);

// merge_method: update. Destination `d`, staging `s`; equal by the destination's own comparison.
// Rows that are not in staging, those with a NULL in the key among them.
std::string delete_missing(const MergePlan& plan, const std::string& not_in_staging);
// Rows of both, where `differs` holds; nothing when the key is all there is.
std::string update_matching(const MergePlan& plan, const std::string& differs);

// staged, null_keys, duplicate_keys, ambiguous_keys, present. `staged_keys` is what duplicates are counted in.
std::string count_staged(const TableName& staging, const TableName& dest, const std::vector<std::string>& key,
                         Dialect::Counts counts, const std::string& staged_keys);

// The destination on the left: SQLite compares by the left one's collation.
std::string equal_keys(const std::vector<std::string>& key);
// The columns that are not of the key.
std::vector<std::string> values_of(const MergePlan& plan);

// [a-z0-9_], at most max_bytes: the module, cut, then store, run and epoch, whole.
std::string staging_stem(const FenceKey& key, size_t max_bytes);
// The store's id where it may only have letters and digits and must be short: itself if it is so, else a hash of it.
std::string store_tag(std::string_view store);

}  // namespace pipekit::worker
