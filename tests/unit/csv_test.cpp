#include "worker/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/columns.h"

namespace pipekit::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kNull = std::nullopt;

Csv parsed(std::string_view text) {
  auto csv = parse_csv(text);
  EXPECT_TRUE(csv) << (csv ? "" : csv.error().message);
  return csv ? *csv : Csv{};
}

std::string refused(std::string_view text, const CsvLimits& limits = {}) {
  const auto csv = parse_csv(text, limits);
  if (csv) return "accepted";
  EXPECT_EQ(csv.error().code, ErrorCode::kExecutionFailed);
  return csv.error().message;
}

TEST(Csv, tells_null_from_the_empty_string) {
  const auto csv = parsed("a,b,c\n,\"\",x\n");
  EXPECT_THAT(csv.header, ElementsAre("a", "b", "c"));
  ASSERT_THAT(csv.rows, SizeIs(1));
  EXPECT_THAT(csv.rows[0], ElementsAre(kNull, "", "x"));
}

TEST(Csv, has_a_header_without_rows) {
  for (const auto* text : {"id,name\n", "id,name", "id,name\r\n", "\xEF\xBB\xBFid,name\n"}) {
    const auto csv = parsed(text);
    EXPECT_THAT(csv.header, ElementsAre("id", "name")) << text;
    EXPECT_THAT(csv.rows, IsEmpty()) << text;
  }
}

TEST(Csv, keeps_quotes_commas_and_line_ends_in_quoted_fields) {
  const auto csv = parsed("a,b\r\n\"x,\"\"y\"\"\",\"1\r\n2\n3\"\r\nlast,field");
  ASSERT_THAT(csv.rows, SizeIs(2));
  EXPECT_THAT(csv.rows[0], ElementsAre("x,\"y\"", "1\r\n2\n3"));
  EXPECT_THAT(csv.rows[1], ElementsAre("last", "field"));
}

TEST(Csv, reads_an_empty_line_as_null_where_there_is_one_column) {
  const auto csv = parsed("max\n\n");
  ASSERT_THAT(csv.rows, SizeIs(1));
  EXPECT_THAT(csv.rows[0], ElementsAre(kNull));
  EXPECT_THAT(parsed("max\n").rows, IsEmpty());
  EXPECT_THAT(parsed("a,b\n1,2\n\n").rows, SizeIs(1));
}

TEST(Csv, keeps_a_null_at_the_end_of_a_line) {
  const auto csv = parsed("a,b\n1,\n2,");
  ASSERT_THAT(csv.rows, SizeIs(2));
  EXPECT_THAT(csv.rows[0], ElementsAre("1", kNull));
  EXPECT_THAT(csv.rows[1], ElementsAre("2", kNull));
}

TEST(Csv, keeps_bytes_that_are_no_text) {
  const std::string byte{"a\n\"\xff\0\"\n", 7};
  ASSERT_THAT(parsed(byte).rows, SizeIs(1));
  EXPECT_THAT(parsed(byte).rows[0], ElementsAre(std::string("\xff\0", 2)));
}

TEST(Csv, finds_columns_in_any_case) {
  const auto csv = parsed("STORE,Epoch\n");
  EXPECT_EQ(csv.column("store"), 0U);
  EXPECT_EQ(csv.column("EPOCH"), 1U);
  EXPECT_EQ(csv.column("run"), std::nullopt);
}

TEST(Csv, names_the_line_of_what_is_wrong) {
  EXPECT_THAT(refused(""), HasSubstr("line 1: it is empty"));
  EXPECT_THAT(refused("a,b\n1,2\n3\n"), HasSubstr("line 3: 1 fields where the header has 2"));
  EXPECT_THAT(refused("a,b\n\"1\n\n\",2\n1,2,3\n"), HasSubstr("line 5: 3 fields"));
  EXPECT_THAT(refused("a\n\"x\"y\n"), HasSubstr("line 2: text after a closing quote"));
  EXPECT_THAT(refused("a\nx\"y\n"), HasSubstr("line 2: a quote inside"));
  EXPECT_THAT(refused("a\n1\n\"x\n\n\n"), HasSubstr("line 3: a quoted field begins here"));
}

TEST(Csv, is_bounded) {
  EXPECT_THAT(refused("abcdef\n", {.bytes = 6}), HasSubstr("longer than 6 bytes"));
  EXPECT_THAT(refused("a\n1\n2\n3\n", {.rows = 2}), HasSubstr("line 4: more than 2 rows"));
  EXPECT_THAT(refused("a,b,c\n", {.columns = 2}), HasSubstr("more than 2 columns"));
}

TEST(Csv, survives_every_truncation) {
  const std::string text = "a,\"b\"\"c\"\r\n\"x\ny\",\n,\"\"\r\n";
  for (size_t length = 0; length <= text.size(); ++length) {
    const auto csv = parse_csv(std::string_view{text}.substr(0, length));
    if (csv) {
      for (const auto& row : csv->rows) EXPECT_THAT(row, SizeIs(csv->header.size()));
    }
  }
}

TEST(Columns, are_read_and_the_generated_ones_left_out_of_a_merge) {
  const auto facts = read_table(parsed(
      "name,type,generated,nullable,has_default,kind,member,on_delete,on_update\nid,bigint,0,0,1,identity,,,\n"
      "x,text,t,true,f,column,,,\nchi,,0,0,0,reference,id,cascade,no action\npublic.q,,0,0,0,closed_sequence,id,,\n"));
  ASSERT_TRUE(facts) << facts.error().message;
  const auto& columns = facts->columns;
  ASSERT_THAT(columns, SizeIs(2));
  EXPECT_EQ(columns[0].type, "bigint");
  EXPECT_FALSE(columns[0].nullable);
  EXPECT_TRUE(columns[0].has_default);
  EXPECT_TRUE(columns[0].always_identity);
  EXPECT_TRUE(columns[1].generated);
  EXPECT_THAT(names_of(writable(columns)), ElementsAre("id"));
  ASSERT_THAT(facts->references, SizeIs(1));
  EXPECT_EQ(facts->references[0].on_delete, "cascade");
  ASSERT_THAT(facts->sequences, SizeIs(1));
  EXPECT_FALSE(facts->sequences[0].open);
}

TEST(Columns, of_another_shape_are_an_error) {
  const auto missing = read_table(parsed("name,type,kind\nid,bigint,column\n"));
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("in row 1 is missing"));
  const auto malformed =
      read_table(parsed("name,kind,generated,nullable,has_default,type,member\nid,column,maybe,0,1,,\n"));
  ASSERT_FALSE(malformed);
  EXPECT_THAT(malformed.error().message, HasSubstr("generated in row 1 is neither 1 nor 0"));
}

TEST(MergeKey, takes_the_names_that_the_table_has) {
  const auto key = resolve_key({"ID", "line"}, {"id", "LINE", "line"});
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_THAT(*key, ElementsAre("id", "line"));
}

TEST(MergeKey, refuses_names_that_are_not_there_ambiguous_or_twice) {
  const std::vector<std::string> columns{"id", "Line", "LINE"};
  EXPECT_THAT(resolve_key({"nr"}, columns).error().message,
              HasSubstr("no column \"nr\"; the destination's columns are id, "));
  EXPECT_THAT(resolve_key({"line"}, columns).error().message, HasSubstr("\"line\" may be any of Line, LINE"));
  EXPECT_THAT(resolve_key({"id", "ID"}, columns).error().message, HasSubstr("\"id\" is listed twice"));
}

}  // namespace
}  // namespace pipekit::worker
