#include "worker/dialect/fence_sql.h"

#include <fmt/format.h>

#include <algorithm>

#include "shared/planted_fault.h"
#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

constexpr size_t kMaxTag = 12;  // "pipekit TAG RUN EPOCH" stays within PostgreSQL's 63 bytes whatever the numbers

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::string sanitised(std::string_view text) {
  std::string out = ascii_lower(text);
  std::ranges::replace_if(
      out, [](char c) { return !is_alphanumeric(c); }, '_');
  return out;
}

std::string any_null(const std::vector<std::string>& key, std::string_view alias) {
  std::string out;
  for (const auto& column : key) {
    if (!out.empty()) out += " OR ";
    out += fmt::format("{}.{} IS NULL", alias, quote_identifier(column));
  }
  return out;
}

}  // namespace

std::string FenceSql::place(const FenceKey& key) const {
  return fmt::format("module = {} AND dest = {}", lit(key.module), lit(key.dest));
}

std::string FenceSql::mine(const FenceKey& key) const {
  return fmt::format("{} AND store = {} AND epoch = {}", place(key), lit(key.store), key.epoch);
}

std::string FenceSql::raise(const FenceKey& key) const {
  return fmt::format(
      "INSERT INTO {} AS f (module, dest, store, epoch, closed) VALUES ({}, {}, {}, {}, 0) ON CONFLICT (module, dest) "
      "DO UPDATE SET epoch = excluded.epoch, closed = 0 WHERE f.store = excluded.store AND f.epoch < excluded.epoch",
      engine_.fence, lit(key.module), lit(key.dest), lit(key.store), key.epoch);
}

std::string FenceSql::trim(const FenceKey& key) const {
  return fmt::format("DELETE FROM {} WHERE store = {} AND module = {} AND run < {}", engine_.merged, lit(key.store),
                     lit(key.module), key.run);
}

std::string FenceSql::answer(const FenceKey& key) const {
  return fmt::format(
      "SELECT f.store, f.epoch, f.closed, m.epoch AS merged_epoch, m.row_count FROM {} f LEFT JOIN {} m ON m.store = "
      "{} "
      "AND m.module = {} AND m.run = {} WHERE f.module = {} AND f.dest = {}",
      engine_.fence, engine_.merged, lit(key.store), lit(key.module), key.run, lit(key.module), lit(key.dest));
}

std::string FenceSql::close(const FenceKey& key) const {
  return fmt::format("UPDATE {} SET closed = 1 WHERE {}", engine_.fence, mine(key));
}

std::string FenceSql::take_over(const FenceKey& key, std::string_view from_store) const {
  return fmt::format("UPDATE {} SET store = {}, epoch = {}, closed = 0 WHERE {} AND store = {}", engine_.fence,
                     lit(key.store), key.epoch, place(key), lit(from_store));
}

std::string FenceSql::touch(const FenceKey& key) const {
  return fmt::format("UPDATE {} SET epoch = epoch WHERE {} AND closed = 0", engine_.fence, mine(key));
}

std::string FenceSql::record_merge(const FenceKey& key, const MergePlan& plan) const {
  auto guard = fmt::format("SELECT epoch FROM {} WHERE {} AND closed = 0 AND (SELECT count(*) FROM {}) = {}",
                           engine_.fence, mine(key), plan.staging.sql, plan.staged_rows);
  if (PLANTED("fence_not_checked")) guard = fmt::format("SELECT {}", key.epoch);
  const auto run = PLANTED("merged_row_not_written") ? -key.epoch : key.run;
  return fmt::format(
      "INSERT INTO {} (store, module, run, epoch, row_count, merged_at) VALUES ({}, {}, {}, ({}), {}, {})",
      engine_.merged, lit(key.store), lit(key.module), run, guard, plan.staged_rows, engine_.now);
}

std::string delete_matching(const MergePlan& plan) {
  return fmt::format("DELETE FROM {} AS d WHERE EXISTS (SELECT 1 FROM {} AS s WHERE {})", plan.dest.sql,
                     plan.staging.sql, equal_keys(plan.key));
}

std::string equal_keys(const std::vector<std::string>& key) {
  std::string out;
  for (const auto& column : key) {
    if (!out.empty()) out += " AND ";
    out += fmt::format("d.{0} = s.{0}", quote_identifier(column));
  }
  return out;
}

std::vector<std::string> values_of(const MergePlan& plan) {
  std::vector<std::string> values;
  std::ranges::copy_if(plan.columns, std::back_inserter(values),
                       [&](const auto& column) { return std::ranges::find(plan.key, column) == plan.key.end(); });
  return values;
}

std::string delete_missing(const MergePlan& plan, const std::string& not_in_staging) {
  return fmt::format("DELETE FROM {} AS d WHERE {} OR {}", plan.dest.sql, any_null(plan.key, "d"), not_in_staging);
}

std::string update_matching(const MergePlan& plan, const std::string& differs) {
  std::string assignments;
  for (const auto& column : values_of(plan)) {
    assignments += fmt::format("{0}{1} = s.{1}", assignments.empty() ? "" : ", ", quote_identifier(column));
  }
  if (assignments.empty()) return {};
  return fmt::format("UPDATE {} AS d SET {} FROM {} AS s WHERE {} AND ({})", plan.dest.sql, assignments,
                     plan.staging.sql, equal_keys(plan.key), differs);
}

std::string count_staged(const TableName& staging, const TableName& dest, const std::vector<std::string>& key,
                         Dialect::Counts counts, const std::string& staged_keys) {
  std::string nulls = "0";
  std::string duplicates = "0";
  std::string ambiguous = "0";
  if (!key.empty()) {
    nulls = fmt::format("(SELECT count(*) FROM {} AS s WHERE {})", staging.sql, any_null(key, "s"));
    duplicates = fmt::format("(SELECT count(*) FROM (SELECT 1 FROM {} AS s GROUP BY {} HAVING count(*) > 1) g)",
                             staged_keys, column_list(key, "s"));
  }
  if (counts.ambiguous) {
    ambiguous = fmt::format(
        "(SELECT count(*) FROM (SELECT 1 FROM {} AS s JOIN {} AS d ON {} GROUP BY {} HAVING count(*) > 1) g)",
        staging.sql, dest.sql, equal_keys(key), column_list(key, "d"));
  }
  return fmt::format(
      "SELECT (SELECT count(*) FROM {}) AS staged, {} AS null_keys, {} AS duplicate_keys, {} AS ambiguous_keys, {} AS "
      "present",
      staging.sql, nulls, duplicates, ambiguous,
      counts.present ? fmt::format("(SELECT count(*) FROM {})", dest.sql) : "NULL");
}

std::string staging_stem(const FenceKey& key, size_t max_bytes) {
  const auto tail = sanitised(fmt::format("_{}_{}_{}", store_tag(key.store), key.run, key.epoch));
  auto head = sanitised(key.module).substr(0, max_bytes - tail.size());
  if (head.empty() || (head.front() >= '0' && head.front() <= '9'))
    head = ('m' + head).substr(0, max_bytes - tail.size());
  return head + tail;
}

std::string store_tag(std::string_view store) {
  if (!store.empty() && store.size() <= kMaxTag && std::ranges::all_of(store, is_alphanumeric))
    return std::string{store};
  return fmt::format("{:016x}", fnv1a(store)).substr(0, kMaxTag);
}

}  // namespace pipekit::worker
