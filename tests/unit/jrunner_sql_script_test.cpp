#include <gtest/gtest.h>

#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {
namespace {

TEST(SqliteBlank, skips_space_semicolons_and_comments_that_do_not_nest) {
  EXPECT_EQ(skip_sqlite_blank(" ;\r\n-- a\n/* /* */ ; x", 0), 20U);
  EXPECT_EQ(skip_sqlite_blank("x ; ", 1), 4U);
  EXPECT_EQ(skip_sqlite_blank("/* open", 0), 7U);
  EXPECT_EQ(skip_sqlite_blank("-", 0), 0U);
}

TEST(ScriptText, a_byte_order_mark_is_no_sql) {
  EXPECT_EQ(without_byte_order_mark("\xEF\xBB\xBFSELECT 1"), "SELECT 1");
  EXPECT_EQ(without_byte_order_mark("SELECT 1"), "SELECT 1");
}

TEST(ScriptText, a_first_line_is_cut_between_characters) {
  EXPECT_EQ(first_line("SELECT\r\n 1"), "SELECT");
  std::string text(119, 'x');
  EXPECT_EQ(first_line(text + "ääää"), text + "...");
}

}  // namespace
}  // namespace pipekit::jrunner
