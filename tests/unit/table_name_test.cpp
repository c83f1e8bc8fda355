#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/dialect/dialect.h"
#include "worker/dialect/fence_sql.h"
#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

using testing::HasSubstr;

const Dialect& postgresql() { return *dialect_for("jdbc:postgresql://127.0.0.1:5432/wh"); }
const Dialect& sqlite() { return *dialect_for("jdbc:sqlite:/data/wh.db"); }

struct Name {
  const Dialect& (*dialect)();
  std::string written;
  std::string sql;
  std::string canonical;
};

class TableNames : public testing::TestWithParam<Name> {};

TEST_P(TableNames, become_quoted_sql_and_one_canonical_name) {
  const auto& [dialect, written, sql, canonical] = GetParam();
  const auto table = dialect().table(written);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->sql, sql);
  EXPECT_EQ(table->canonical, canonical);
  const auto again = dialect().table(table->sql);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->sql, sql);
  EXPECT_EQ(again->canonical, canonical);
}

INSTANTIATE_TEST_SUITE_P(
    Postgresql, TableNames,
    testing::Values(Name{postgresql, "orders", "\"orders\"", "orders"},
                    Name{postgresql, "Orders", "\"orders\"", "orders"},
                    Name{postgresql, "\"Orders\"", "\"Orders\"", "\"Orders\""},
                    Name{postgresql, "  sales . ORDERS\n", "\"sales\".\"orders\"", "sales.orders"},
                    Name{postgresql, "\"Sales\".\"Orders\"", "\"Sales\".\"Orders\"", "\"Sales\".\"Orders\""},
                    Name{postgresql, "public.orders", "\"public\".\"orders\"", "orders"},
                    Name{postgresql, "\"public\".\"orders\"", "\"public\".\"orders\"", "orders"},
                    Name{postgresql, "\"a.b\"", "\"a.b\"", "\"a.b\""}, Name{postgresql, "order", "\"order\"", "order"},
                    Name{postgresql, "\"Weird \"\"name\"\"\"", "\"Weird \"\"name\"\"\"", "\"Weird \"\"name\"\"\""},
                    Name{postgresql, "größe", "\"größe\"", "\"größe\""},
                    Name{postgresql, "a$1", "\"a$1\"", "\"a$1\""}));

INSTANTIATE_TEST_SUITE_P(Sqlite, TableNames,
                         testing::Values(Name{sqlite, "orders", "\"orders\"", "orders"},
                                         Name{sqlite, "Orders", "\"Orders\"", "orders"},
                                         Name{sqlite, "\"ORDERS\"", "\"ORDERS\"", "orders"},
                                         Name{sqlite, "main.orders", "\"orders\"", "orders"},
                                         Name{sqlite, "\"Main\" . [Orders]", "\"Orders\"", "orders"},
                                         Name{sqlite, "`order lines`", "\"order lines\"", "\"order lines\""},
                                         Name{sqlite, "\"a\"\"b\"", "\"a\"\"b\"", "\"a\"\"b\""}));

struct Rubbish {
  const Dialect& (*dialect)();
  std::string written;
  std::string reason;
};

class RubbishNames : public testing::TestWithParam<Rubbish> {};

TEST_P(RubbishNames, are_refused_with_what_and_where) {
  const auto table = GetParam().dialect().table(GetParam().written);
  ASSERT_FALSE(table) << table->sql;
  EXPECT_EQ(table.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(table.error().message, HasSubstr(GetParam().reason));
  EXPECT_THAT(table.error().message, HasSubstr(GetParam().written.substr(0, 20)));
}

INSTANTIATE_TEST_SUITE_P(
    Engines, RubbishNames,
    testing::Values(
        Rubbish{postgresql, "", "it is empty"}, Rubbish{postgresql, " ", "it ends where a name"},
        Rubbish{postgresql, "a.", "it ends where a name"},
        Rubbish{postgresql, ".a", "a name cannot begin with \".\" at position 1"},
        Rubbish{postgresql, "a..b", "cannot begin with \".\" at position 3"},
        Rubbish{postgresql, "a.b.c", "more than two parts"},
        Rubbish{postgresql, "orders; DROP TABLE x", "there is \";\" at position 7"},
        Rubbish{postgresql, "orders o", "there is \"o\" at position 8"},
        Rubbish{postgresql, "orders--", "there is \"-\""}, Rubbish{postgresql, "orders(id)", "there is \"(\""},
        Rubbish{postgresql, "2024", "cannot begin with \"2\""}, Rubbish{postgresql, "'orders'", "cannot begin with"},
        Rubbish{postgresql, "\"orders", "the closing \" is missing"},
        Rubbish{postgresql, "\"orders\"x", "there is \"x\""}, Rubbish{postgresql, "\"\"", "a quoted name is empty"},
        Rubbish{postgresql, "[orders]", "cannot begin with \"[\""},
        Rubbish{postgresql, "a\x01", "byte 0x01 at position 2"},
        Rubbish{postgresql, std::string("\"a\0b\"", 5), "contains a NUL"},
        Rubbish{postgresql, std::string(64, 'a'), "63 bytes"}, Rubbish{sqlite, "temp.orders", "no schemas but main"},
        Rubbish{sqlite, "[a", "the closing ] is missing"}, Rubbish{sqlite, "a]", "there is \"]\""}));

TEST(TableName, without_a_schema_takes_the_default_one) {
  EXPECT_EQ(postgresql().table("orders", "Sales")->sql, "\"sales\".\"orders\"");
  EXPECT_EQ(postgresql().table("orders", "\"Sales\"")->canonical, "\"Sales\".orders");
  EXPECT_EQ(postgresql().table("crm.orders", "sales")->canonical, "crm.orders");
  EXPECT_FALSE(postgresql().table("orders", "a.b"));
  EXPECT_FALSE(postgresql().table("orders", "sales; --"));
  EXPECT_EQ(sqlite().table("orders", "main")->canonical, "orders");
  EXPECT_FALSE(sqlite().table("orders", "sales"));
}

TEST(Dialect, is_chosen_by_the_url) {
  EXPECT_EQ(postgresql().name(), "postgresql");
  EXPECT_EQ(sqlite().name(), "sqlite");
  EXPECT_EQ(dialect_for("jdbc:db2://host/x"), nullptr);
  EXPECT_EQ(dialect_for("postgresql://host/x"), nullptr);
  EXPECT_EQ(dialect_for(""), nullptr);
}

TEST(StagingTable, is_named_after_module_store_run_and_attempt) {
  const FenceKey key{"orders", "", "S", 42, 7};
  EXPECT_EQ(postgresql().staging_table(key).sql, "pipekit_staging.orders_s_42_7");
  EXPECT_EQ(sqlite().staging_table(key).sql, "pipekit_staging__orders_s_42_7");
}

TEST(StagingTable, has_only_plain_characters) {
  EXPECT_EQ(staging_stem({"Größe \"x\"; DROP", "", "k3", 1, 2}, 63), "gr____e__x___drop_k3_1_2");
  EXPECT_EQ(staging_stem({"2024", "", "k3", 1, 2}, 63), "m2024_k3_1_2");
  EXPECT_EQ(staging_stem({"", "", "k3", 1, 2}, 63), "m_k3_1_2");
}

TEST(StagingTable, is_cut_without_losing_store_run_and_attempt) {
  const std::string module(200, 'a');
  const auto stem = staging_stem({module, "", "k3x9", 42, 7}, 63);
  EXPECT_EQ(stem.size(), 63U);
  EXPECT_TRUE(stem.ends_with("a_k3x9_42_7"));
  const auto largest = staging_stem({"9" + module, "", "a-store-with-a-long-id", INT64_MAX, INT64_MAX}, 63);
  EXPECT_EQ(largest.size(), 63U);
  EXPECT_TRUE(largest.starts_with("m9a"));
  EXPECT_TRUE(largest.ends_with("_9223372036854775807_9223372036854775807"));
}

TEST(StagingTable, differs_between_stores_whose_ids_are_not_plain) {
  const FenceKey one{"orders", "", "store-one", 42, 7};
  const FenceKey other{"orders", "", "store_one", 42, 7};
  EXPECT_NE(postgresql().staging_table(one).sql, postgresql().staging_table(other).sql);
}

TEST(SessionName, fits_the_server_whatever_the_ids) {
  EXPECT_EQ(postgresql().session_name({"orders", "", "S", 42, 7}), "pipekit S 42 7");
  EXPECT_LE(postgresql().session_name({"", "", std::string(64, 'x'), INT64_MAX, INT64_MAX}).size(), 63U);
  EXPECT_EQ(sqlite().session_name({"orders", "", "S", 42, 7}), "");
}

TEST(Quoting, leaves_no_way_out_of_the_token) {
  EXPECT_EQ(quote_identifier("a\"; DROP"), "\"a\"\"; DROP\"");
  EXPECT_EQ(quote_literal("it's \\"), "'it''s \\'");
  EXPECT_EQ(quote_literal_escaping("it's"), "'it''s'");
  EXPECT_EQ(quote_literal_escaping("\\' OR 1=1"), "E'\\\\'' OR 1=1'");
  EXPECT_EQ(column_list({"a", "b\"c"}, "s"), "s.\"a\", s.\"b\"\"c\"");
}

}  // namespace
}  // namespace pipekit::worker
