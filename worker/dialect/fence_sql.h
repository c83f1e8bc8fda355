// Statements for the fence and the merge that engines with standard SQL share: one function per statement, without its
// `;`. docs/FENCE.md proves these shapes: the order of statements and the guard inside VALUES matter. Pure.
#pragma once

#include <string>
#include <string_view>

#include "worker/dialect/dialect.h"

namespace pipekit::worker {

class FenceSql {
 public:
  struct Engine {
    std::string_view fence;  // the two tables, as written in a script
    std::string_view merged;
    std::string_view now;  // an expression
    std::string (*literal)(std::string_view);
  };
  constexpr explicit FenceSql(const Engine& engine) : engine_(engine) {}

  // Raises the epoch of this store's row, or inserts the row. Another store's row and a higher epoch stay unchanged.
  [[nodiscard]] std::string raise(const FenceKey& key) const;
  // Earlier runs of the module are final while its lock is held. Restricted to the module, so that it does not wait for
  // merges of others.
  [[nodiscard]] std::string trim(const FenceKey& key) const;
  [[nodiscard]] std::string answer(const FenceKey& key) const;
  [[nodiscard]] std::string close(const FenceKey& key) const;
  [[nodiscard]] std::string take_over(const FenceKey& key, std::string_view from_store) const;
  // Locks the row to the end of the transaction.
  [[nodiscard]] std::string touch(const FenceKey& key) const;
  // The guard is a scalar subquery for a NOT NULL column: NULL, and so an error, unless the fence has this epoch and is
  // open, and staging has the rows that were verified. INSERT … SELECT … WHERE would insert nothing and continue.
  [[nodiscard]] std::string record_merge(const FenceKey& key, const MergePlan& plan) const;

 private:
  [[nodiscard]] std::string place(const FenceKey& key) const;
  [[nodiscard]] std::string mine(const FenceKey& key) const;
  [[nodiscard]] std::string lit(std::string_view text) const { return engine_.literal(text); }

  Engine engine_;
};

// Rows of the destination whose key is in staging. A NULL in a key matches nothing.
std::string delete_matching(const MergePlan& plan);

// merge_method: update. The destination is `d`, staging is `s`; keys are compared as the destination compares them.
// Deletes rows that are not in staging, including those with a NULL in the key.
std::string delete_missing(const MergePlan& plan, const std::string& not_in_staging);
// Updates rows that are in both where `differs` holds; empty if the table has no columns besides the key.
std::string update_matching(const MergePlan& plan, const std::string& differs);

// staged, null_keys, duplicate_keys, ambiguous_keys, present. Duplicates are counted in `staged_keys`.
std::string count_staged(const TableName& staging, const TableName& dest, const std::vector<std::string>& key,
                         Dialect::Counts counts, const std::string& staged_keys);

// The destination is on the left: SQLite uses the collation of the left operand.
std::string equal_keys(const std::vector<std::string>& key);
// The columns outside the key.
std::vector<std::string> values_of(const MergePlan& plan);

// [a-z0-9_], at most max_bytes: the module's name, shortened, then store, run and epoch in full.
std::string staging_stem(const FenceKey& key, size_t max_bytes);
// A short form of the store's id with only letters and digits: the id if it is one, else a hash of it.
std::string store_tag(std::string_view store);

}  // namespace pipekit::worker
