// No statement of the broker reads a whole table that grows with use. All that these tests prepare are recorded, and at
// the end the plan of each is looked at: a scan is an error unless it is listed here, with the reason.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "broker/store/database.h"
#include "broker/store/migrations.h"
#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

// Tables whose size is that of the definitions, of what is live, or of what people have done by hand. All others grow
// with each run.
constexpr auto kSmallTables = std::to_array<std::string_view>(
    {"meta", "settings", "driver", "connection", "module", "watermark", "hook", "grp", "group_member", "schedule",
     "worker", "client_key", "leftover", "module_last_run", "sqlite_schema", "json_each", "json_tree"});

struct MayScan {
  std::string_view part;  // of the statement
  std::string_view why;
};
// In the order of ids, and read only as far as something is looked for, or asked for by a person and bounded by LIMIT.
constexpr auto kMayScan = std::to_array<MayScan>({
    {"SELECT client, request_no, id, queued_seq, queued_at FROM run_log ORDER BY id DESC",
     "at a start: newest first, until one is older than ten minutes"},
    {"json_extract(body, '$.name') = ?", "a name that no module has: perhaps that of a removed one"},
    {"SELECT last_seq FROM event_chunk ORDER BY first_seq DESC LIMIT 1", "the last row"},
    {"FROM audit WHERE", "asked for by a person; newest first, LIMIT"},
    {"FROM (SELECT id, at FROM audit ORDER BY id LIMIT", "retention: the oldest, LIMIT"},
});

bool is_small(const std::string& step) {
  return std::ranges::any_of(kSmallTables, [&](std::string_view table) {
    return step.starts_with(fmt::format("SCAN {}", table)) || step.find("CONSTANT ROW") != std::string::npos;
  });
}

// The names that statements give to tables ("run_log r"), so that a step "SCAN r" is understood.
std::string named_by(const std::string& sql, const std::string& alias) {
  static constexpr auto kTables = std::to_array<std::string_view>({"meta",
                                                                   "settings",
                                                                   "driver",
                                                                   "connection",
                                                                   "module",
                                                                   "watermark",
                                                                   "hook",
                                                                   "grp",
                                                                   "group_member",
                                                                   "schedule",
                                                                   "schedule_fire",
                                                                   "group_run",
                                                                   "group_run_member",
                                                                   "definition_snapshot",
                                                                   "run_log",
                                                                   "module_last_run",
                                                                   "attempt",
                                                                   "leftover",
                                                                   "event_chunk",
                                                                   "request",
                                                                   "worker",
                                                                   "audit",
                                                                   "client_key",
                                                                   "json_each"});
  for (const auto table : kTables) {
    for (const auto* as : {" ", " AS "}) {
      const auto words = fmt::format("{}{}{}", table, as, alias);
      const auto at = sql.find(words);
      if (at == std::string::npos) continue;
      const auto end = at + words.size();
      const bool begins = at == 0 || (std::isalnum(static_cast<unsigned char>(sql[at - 1])) == 0 && sql[at - 1] != '_');
      const bool ends =
          end == sql.size() || (std::isalnum(static_cast<unsigned char>(sql[end])) == 0 && sql[end] != '_');
      if (begins && ends) return std::string(table);
    }
  }
  return alias;
}

// max(x) and min(x) are a SEARCH without an index where they read all; of the rowid they read one.
bool reads_all_for_one(const std::string& step, const std::string& sql) {
  if (!step.starts_with("SEARCH ") || step.find(" (") != std::string::npos) return false;
  static constexpr auto kOfRowid =
      std::to_array<std::string_view>({"max(id)", "min(id)", "max(first_seq)", "min(first_seq)"});
  return std::ranges::none_of(kOfRowid, [&](auto text) { return sql.find(text) != std::string::npos; });
}

// The steps of the statement's plan that read all of a table that grows.
std::vector<std::string> scans_of(store::Database& db, const std::string& sql) {
  std::vector<std::string> scans;
  auto rows = db.query("EXPLAIN QUERY PLAN " + sql);
  while (rows.next()) {
    auto step = rows.get<std::string>(3);
    const bool whole = step.starts_with("SCAN ");
    if (!whole && !reads_all_for_one(step, sql)) continue;
    const auto from = whole ? 5U : 7U;
    const auto name = step.substr(from, step.find(' ', from) - from);
    const auto table = named_by(sql, name);
    const bool inner = sql.find(fmt::format("RECURSIVE {} ", name)) != std::string::npos ||
                       sql.find(fmt::format("AS {} (", name)) != std::string::npos || name.starts_with("(");
    // A partial index has only what it is for.
    const bool partial = step.find("INDEX run_live") != std::string::npos ||
                         step.find("INDEX run_failed") != std::string::npos ||
                         step.find("INDEX group_run_live") != std::string::npos;
    if (inner || partial || is_small("SCAN " + table) || is_small(step)) continue;
    scans.push_back(step);
  }
  return scans;
}

bool may_scan(const std::string& sql) {
  return std::ranges::any_of(kMayScan, [&](const MayScan& may) { return sql.find(may.part) != std::string::npos; });
}

// Records from the program's start, and looks at its end: whatever tests were run, none has made the broker scan.
class Plans : public testing::Environment {
 public:
  void SetUp() override { store::Database::record_statements(&statements_); }
  void TearDown() override {
    store::Database::record_statements(nullptr);
    const TempDir dir(memory_directory());
    store::Database db(dir.file("pipekit.db"), store::Database::Mode::read_write);
    ASSERT_TRUE(store::migrate(db));
    for (const auto& sql : statements_) {
      if (!explainable(sql)) continue;
      for (const auto& scan : scans_of(db, sql)) ADD_FAILURE() << scan << " in " << sql;
    }
  }

 private:
  // Of the broker, not of a test, which may look at all it likes: tests count, list and break.
  static bool explainable(const std::string& sql) {
    const auto is = [&](std::string_view word) { return sql.starts_with(word); };
    if (!is("SELECT") && !is("INSERT") && !is("UPDATE") && !is("DELETE") && !is("WITH")) return false;
    return !of_a_test(sql) && !may_scan(sql);
  }
  static bool of_a_test(const std::string& sql);
  std::set<std::string> statements_;
};

// A test's statement is a literal of its source.
bool Plans::of_a_test(const std::string& sql) {
  static const auto kSources = [] {
    std::string joined;
    for (const auto* folder : {"/tests/store", "/tests/support"}) {
      for (const auto& entry : std::filesystem::directory_iterator(std::string(PIPEKIT_SOURCE_DIR) + folder)) {
        if (!entry.is_regular_file()) continue;
        const auto all = read_file(entry.path());
        // As the compiler joins literals.
        for (size_t i = 0; i < all.size();) {
          const auto close = std::min(all.find('"', i), all.size());
          joined += all.substr(i, close - i);
          const auto next = all.find_first_not_of(" \n", close + 1);
          i = next != std::string::npos && all[next] == '"' ? next + 1 : close + 1;
        }
      }
    }
    return joined;
  }();
  // As it was written: with its escapes.
  std::string written;
  for (const char c : sql) written += c == '\n' ? std::string("\\n") : std::string(1, c);
  return kSources.find(written) != std::string::npos;
}

const auto* const kPlans = testing::AddGlobalTestEnvironment(new Plans);  // gtest deletes it

TEST(Plan, a_scan_of_a_table_that_grows_is_noticed) {
  const TempDir dir(memory_directory());
  store::Database db(dir.file("pipekit.db"), store::Database::Mode::read_write);
  ASSERT_TRUE(store::migrate(db));
  EXPECT_EQ(scans_of(db, "SELECT id FROM run_log WHERE module_name = 'm'").size(), 1U);
  EXPECT_EQ(scans_of(db, "SELECT r.id FROM run_log r WHERE r.status = 'success'").size(), 1U);
  EXPECT_EQ(scans_of(db, "SELECT max(module_id) FROM group_run_member").size(), 1U);
  EXPECT_TRUE(scans_of(db, "SELECT id FROM run_log WHERE id = 1").empty());
  EXPECT_TRUE(scans_of(db, "SELECT m.id FROM module m WHERE m.enabled").empty());
}

}  // namespace
}  // namespace pipekit::test
