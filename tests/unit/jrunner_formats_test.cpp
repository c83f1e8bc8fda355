#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "worker/jrunner/batch_queue.h"
#include "worker/jrunner/copy_text.h"
#include "worker/jrunner/number_text.h"
#include "worker/jrunner/postgres_source.h"
#include "worker/jrunner/spool.h"
#include "worker/jrunner/sqlite_connection.h"
#include "worker/jrunner/sqlite_sink.h"
#include "worker/jrunner/table_format.h"

namespace pipekit::jrunner {
namespace {

std::string field(TableFormat format, std::optional<std::string_view> value) {
  std::string out;
  append_field(format, value, out);
  return out;
}

TEST(TableFormatCsv, tells_null_from_the_empty_string_and_quotes_what_needs_it) {
  EXPECT_EQ(field(TableFormat::kCsv, std::nullopt), "");
  EXPECT_EQ(field(TableFormat::kCsv, ""), "\"\"");
  EXPECT_EQ(field(TableFormat::kCsv, "plain text"), "plain text");
  EXPECT_EQ(field(TableFormat::kCsv, "a,b"), "\"a,b\"");
  EXPECT_EQ(field(TableFormat::kCsv, "say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(field(TableFormat::kCsv, "a\nb"), "\"a\nb\"");
  EXPECT_EQ(field(TableFormat::kCsv, "a\rb"), "\"a\rb\"");
}

TEST(TableFormatTsv, escapes_what_would_break_a_line) {
  EXPECT_EQ(field(TableFormat::kTsv, std::nullopt), "\\N");
  EXPECT_EQ(field(TableFormat::kTsv, ""), "");
  EXPECT_EQ(field(TableFormat::kTsv, "\\N\t\n\r"), "\\\\N\\t\\n\\r");
}

TEST(CopyText, every_byte_survives_and_no_line_or_field_ends_within) {
  std::string all;
  for (int byte = 1; byte < 256; ++byte) all += static_cast<char>(byte);
  std::string escaped;
  append_copy_text(all, escaped);
  EXPECT_EQ(escaped.find_first_of("\t\n\r"), std::string::npos);
  std::string back;
  append_unescaped(escaped, back);
  EXPECT_EQ(back, all);
}

TEST(CopyText, null_and_the_end_marker_are_told_from_text) {
  std::string out;
  append_copy_text("\\N", out);
  append_copy_text("\\.", out);
  EXPECT_EQ(out, "\\\\N\\\\.");
}

TEST(CopyText, bytes_are_hexadecimal) {
  std::string out;
  append_copy_bytes(std::string_view("\0\xff\\", 3), out);
  EXPECT_EQ(out, "\\\\x00ff5c");
  std::string bytes;
  EXPECT_TRUE(append_hex_bytes("\\x00fF5c", bytes));
  EXPECT_EQ(bytes, std::string("\0\xff\\", 3));
  EXPECT_FALSE(append_hex_bytes("00", bytes));
  EXPECT_FALSE(append_hex_bytes("\\x0", bytes));
  EXPECT_FALSE(append_hex_bytes("\\x0g", bytes));
}

TEST(CopyText, a_line_has_its_fields_empty_ones_included) {
  CopyLineReader line("a\t\t\\N\t");
  EXPECT_EQ(line.next(), "a");
  EXPECT_EQ(line.next(), "");
  EXPECT_EQ(line.next(), "\\N");
  EXPECT_EQ(line.next(), "");
  EXPECT_EQ(line.next(), std::nullopt);
}

TEST(CopyText, a_line_becomes_cells_by_the_types_of_its_columns) {
  RowBatch batch;
  using enum PostgresValue;
  append_copy_cells("t\t-7\t0.1\tNaN\t12.50\ta\\tb\t\\\\x6100\t\\N\t",
                    {kBoolean, kInteger, kReal, kReal, kNumeric, kText, kBytes, kText, kText}, batch);
  ASSERT_EQ(batch.cells.size(), 9U);
  EXPECT_EQ(batch.rows, 1U);
  EXPECT_EQ(batch.cells[0].integer, 1);
  EXPECT_EQ(batch.cells[1].integer, -7);
  EXPECT_EQ(batch.cells[2].real, 0.1);
  EXPECT_EQ(batch.view(batch.cells[3]), "NaN");
  EXPECT_EQ(batch.cells[4].kind, CellKind::kDecimal);
  EXPECT_EQ(batch.view(batch.cells[5]), "a\tb");
  EXPECT_EQ(batch.cells[6].kind, CellKind::kBlob);
  EXPECT_EQ(batch.view(batch.cells[6]), std::string_view("a\0", 2));
  EXPECT_EQ(batch.cells[7].kind, CellKind::kNull);
  EXPECT_EQ(batch.cells[8].kind, CellKind::kText);
  EXPECT_EQ(batch.view(batch.cells[8]), "");
}

std::string read_number(std::string_view text) {
  const auto number = exact_number(text);
  if (std::holds_alternative<NotANumber>(number)) return "text";
  if (std::holds_alternative<Inexact>(number)) return "inexact";
  std::string out;
  if (const auto* integer = std::get_if<int64_t>(&number)) {
    append_integer(*integer, out);
    return "int " + out;
  }
  append_real(std::get<double>(number), out);
  return "real " + out;
}

TEST(NumberText, a_number_is_exact_or_said_not_to_be) {
  EXPECT_EQ(read_number("9223372036854775807"), "int 9223372036854775807");
  EXPECT_EQ(read_number("-9223372036854775808"), "int -9223372036854775808");
  EXPECT_EQ(read_number("9223372036854775808"), "real 9223372036854775808") << "a power of two";
  EXPECT_EQ(read_number("9223372036854775809"), "inexact");
  EXPECT_EQ(read_number("9007199254740993.0"), "int 9007199254740993");
  EXPECT_EQ(read_number("100000000000000000000"), "real 1e+20");
  EXPECT_EQ(read_number("12.50"), "real 12.5");
  EXPECT_EQ(read_number("12.00"), "int 12");
  EXPECT_EQ(read_number("0.1"), "real 0.1");
  EXPECT_EQ(read_number("0.30000000000000004"), "real 0.30000000000000004");
  EXPECT_EQ(read_number("0.30000000000000001"), "inexact");
  EXPECT_EQ(read_number("1234567890.1234567891"), "inexact");
  EXPECT_EQ(read_number("1e5"), "int 100000");
  EXPECT_EQ(read_number(" +1.5E-3 "), "real 0.0015");
  EXPECT_EQ(read_number("1e400"), "inexact");
  EXPECT_EQ(read_number("1e-400"), "inexact");
  EXPECT_EQ(read_number("1e99999999999999999999"), "inexact");
  EXPECT_EQ(read_number("0e99999999999999999999"), "int 0");
  EXPECT_EQ(read_number("00123"), "int 123");
  EXPECT_EQ(read_number("-0.000"), "int 0");
  EXPECT_EQ(read_number(".5"), "real 0.5");
  EXPECT_EQ(read_number("5."), "int 5");
}

TEST(NumberText, what_sqlite_would_not_convert_is_text) {
  for (const auto* text :
       {"", " ", ".", "-", "e5", "1e", "1e+", "0x10", "1 2", "1,5", "NaN", "Infinity", "2026-01-01", "1_000"}) {
    EXPECT_EQ(read_number(text), "text") << text;
  }
}

TEST(NumberText, doubles_are_written_so_that_they_read_back) {
  std::string out;
  append_real(3.0, out);
  EXPECT_EQ(out, "3");
  out.clear();
  append_real_as_text(3.0, out);
  EXPECT_EQ(out, "3.0");
  out.clear();
  append_real_as_text(-std::numeric_limits<double>::infinity(), out);
  EXPECT_EQ(out, "-Infinity");
  out.clear();
  append_real_as_text(1e300, out);
  EXPECT_EQ(out, "1e+300");
}

TEST(NumberText, has_exponents_only_where_people_write_them) {
  const auto written = [](double value) {
    std::string out;
    append_real(value, out);
    return out;
  };
  EXPECT_EQ(written(100000), "100000");
  EXPECT_EQ(written(-1e5), "-100000");
  EXPECT_EQ(written(1e15), "1000000000000000");
  EXPECT_EQ(written(9007199254740992), "9007199254740992");
  EXPECT_EQ(written(9.2e18), "9200000000000000000");
  EXPECT_EQ(written(1e19), "1e+19");
  EXPECT_EQ(written(0.00001), "0.00001");
  EXPECT_EQ(written(0.000012345), "0.000012345");
  EXPECT_EQ(written(9.9e-6), "9.9e-06");
  EXPECT_EQ(written(0.30000000000000004), "0.30000000000000004");
  EXPECT_EQ(written(123456.789), "123456.789");
  EXPECT_EQ(written(0), "0");
  EXPECT_EQ(written(-0.0), "-0");
  EXPECT_EQ(written(5e-324), "5e-324");
  double value = 1.1e-7;
  for (int i = 0; i < 3000; ++i, value *= -1.0173) {
    EXPECT_EQ(std::stod(written(value)), value) << "reads back";
  }
}

TEST(NumberText, a_text_that_is_a_number_may_lose_how_it_is_written) {
  for (const auto* text : {"007", "1.50", " 7", "+7", "7.0", "1e5", "-0", ".5", "123456789012345678901"}) {
    EXPECT_TRUE(loses_its_spelling(text)) << text;
  }
  for (const auto* text : {"7", "-7", "1.5", "0", "20260301"}) EXPECT_FALSE(loses_its_spelling(text)) << text;
}

TEST(SqliteTime, is_what_its_functions_read_or_nothing) {
  using enum PostgresValue;
  EXPECT_EQ(sqlite_time("2026-03-01 09:00:00+00", kTimestamp), "2026-03-01 09:00:00+00:00");
  EXPECT_EQ(sqlite_time("2026-03-01 09:00:00.123456-03", kTimestamp), "2026-03-01 09:00:00.123456-03:00");
  EXPECT_EQ(sqlite_time("2026-03-01 09:00:00+05:30", kTimestamp), "2026-03-01 09:00:00+05:30");
  EXPECT_EQ(sqlite_time("2026-03-01 09:00:00", kTimestamp), "2026-03-01 09:00:00");
  EXPECT_EQ(sqlite_time("09:00:00-08", kTime), "09:00:00-08:00");
  EXPECT_EQ(sqlite_time("0001-01-01", kDate), "0001-01-01");
  for (const auto* text : {"infinity", "-infinity", "2026-03-01 09:00:00 BC", "10000-01-01 00:00:00",
                           "1890-01-01 00:00:00+00:53:28", "294276-12-31 23:59:59+00", ""}) {
    EXPECT_EQ(sqlite_time(text, kTimestamp), std::nullopt) << text;
  }
  for (const auto* text : {"infinity", "4713-01-01 BC", "10000-01-01"})
    EXPECT_EQ(sqlite_time(text, kDate), std::nullopt);
  for (const auto* text : {"24:00:00", "24:00:00+00"}) EXPECT_EQ(sqlite_time(text, kTime), std::nullopt);
}

TEST(SqliteColumns, are_of_numbers_by_their_name_and_not_by_their_affinity) {
  for (const auto* type : {"INTEGER", "int", "UNSIGNED BIG INT", "decimal(10,2)", "NUMERIC", "double precision", "REAL",
                           "\"DECIMAL(10, 5)\"", "money"}) {
    EXPECT_TRUE(names_a_number(type)) << type;
  }
  for (const auto* type : {"DATE", "DATETIME", "STRING", "UUID", "INTERVAL", "POINT", "BOOLEAN", "JSON", "", "TEXT"}) {
    EXPECT_FALSE(names_a_number(type)) << type;
  }
}

TEST(NumberText, an_integer_fits_a_double_or_not) {
  EXPECT_TRUE(fits_double(9007199254740992));
  EXPECT_FALSE(fits_double(9007199254740993));
  EXPECT_FALSE(fits_double(std::numeric_limits<int64_t>::max()));
  EXPECT_TRUE(fits_double(std::numeric_limits<int64_t>::min()));
}

TEST(SqliteNames, are_taken_apart_as_sql_does) {
  const auto parts = [](std::string_view text) {
    const auto name = parse_sqlite_table(text);
    return name.schema + "|" + name.table;
  };
  EXPECT_EQ(parts("orders"), "|orders");
  EXPECT_EQ(parts("main.orders"), "main|orders");
  EXPECT_EQ(parts("\"a.b\""), "|a.b");
  EXPECT_EQ(parts("\"a\"\"b\".[c d]"), "a\"b|c d");
  EXPECT_EQ(parts("`x``y`"), "|x`y");
  EXPECT_EQ(quoted_identifier("a\"b"), "\"a\"\"b\"");
}

TEST(SqliteAffinity, follows_the_declared_type) {
  EXPECT_EQ(affinity_of("bigint", false), Affinity::kInteger);
  EXPECT_EQ(affinity_of("FLOATING POINT", false), Affinity::kInteger);
  EXPECT_EQ(affinity_of("varchar(10)", false), Affinity::kText);
  EXPECT_EQ(affinity_of("", false), Affinity::kNone);
  EXPECT_EQ(affinity_of("blob", false), Affinity::kNone);
  EXPECT_EQ(affinity_of("double precision", false), Affinity::kReal);
  EXPECT_EQ(affinity_of("decimal(38,10)", false), Affinity::kNumeric);
  EXPECT_EQ(affinity_of("ANY", false), Affinity::kNumeric);
  EXPECT_EQ(affinity_of("ANY", true), Affinity::kNone);
}

TEST(Spool, gives_back_what_it_took_from_memory_and_from_its_file) {
  for (const size_t times : {3UL, 100'000UL}) {
    Spool spool;
    std::string expected;
    for (size_t i = 0; i < times; ++i) {
      const auto piece = "piece " + std::to_string(i) + "\n";
      spool.append(piece);
      expected += piece;
    }
    spool.rewind();
    std::string got(10, '\0');
    ASSERT_TRUE(spool.read_exactly(got.data(), got.size()));
    for (auto bytes = spool.read(1000); !bytes.empty(); bytes = spool.read(1000)) got += bytes;
    EXPECT_EQ(got, expected);
    EXPECT_FALSE(spool.read_exactly(got.data(), 1));
  }
}

TEST(Spool, what_was_cleared_is_gone) {
  Spool spool;
  spool.append(std::string(2'000'000, 'x'));
  spool.clear();
  spool.append("y");
  spool.rewind();
  EXPECT_EQ(spool.read(10), "y");
  EXPECT_EQ(spool.read(10), "");
}

RowBatch batch_of(size_t bytes) {
  RowBatch batch;
  batch.rows = 1;
  batch.bytes.assign(bytes, 'x');
  return batch;
}

TEST(BatchQueue, a_batch_larger_than_the_bound_passes) {
  BatchQueue queue;
  ASSERT_TRUE(queue.push(batch_of(100'000'000)));
  queue.close();
  EXPECT_EQ(queue.pop()->bytes.size(), 100'000'000U);
  EXPECT_FALSE(queue.pop().has_value());
}

TEST(BatchQueue, a_full_queue_holds_the_producer_until_the_consumer_takes_or_gives_up) {
  BatchQueue queue;
  int pushed = 0;
  std::thread producer([&] {
    while (queue.push(batch_of(1'000'000))) ++pushed;
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(queue.pop().has_value());
  queue.give_up();
  producer.join();
  EXPECT_GE(pushed, 20);
  EXPECT_LE(pushed, 24);
}

}  // namespace
}  // namespace pipekit::jrunner
