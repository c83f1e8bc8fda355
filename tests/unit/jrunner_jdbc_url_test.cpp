#include <gtest/gtest.h>

#include "worker/jrunner/jdbc_url.h"

namespace pipekit::jrunner {
namespace {

SqliteTarget sqlite(std::string_view url) {
  const auto target = parse_jdbc_url(url);
  return target.ok() ? std::get<SqliteTarget>(*target) : SqliteTarget{"refused: " + target.error().message, false, ""};
}

PostgresTarget postgres(std::string_view url) {
  const auto target = parse_jdbc_url(url);
  return target.ok() ? std::get<PostgresTarget>(*target) : PostgresTarget{{{"host", "refused"}}};
}

std::string place(std::string_view url) {
  const auto target = postgres(url);
  return target.keyword("host") + " " + target.keyword("port") + " " + target.keyword("dbname");
}

TEST(JdbcUrlSqlite, names_a_file) {
  EXPECT_EQ(sqlite("jdbc:sqlite:/data/a b.db").path, "/data/a b.db");
  EXPECT_EQ(sqlite("jdbc:sqlite:../a%20.db").path, "../a%20.db");
  EXPECT_EQ(sqlite("jdbc:sqlite:a.db?busy_timeout=5").file, "a.db");
  EXPECT_EQ(sqlite("jdbc:sqlite::memory:").file, "");
  EXPECT_FALSE(parse_jdbc_url("jdbc:sqlite:").ok());
}

TEST(JdbcUrlSqlite, takes_a_uri) {
  const auto target = sqlite("jdbc:sqlite:file:/data/a%20b.db?mode=ro&busy_timeout=5&foreign_keys=on");
  EXPECT_TRUE(target.uri);
  EXPECT_EQ(target.path, "file:/data/a%20b.db?mode=ro");
  EXPECT_EQ(target.file, "/data/a b.db");
  EXPECT_EQ(sqlite("jdbc:sqlite:file:///x.db").file, "/x.db");
  EXPECT_EQ(sqlite("jdbc:sqlite:file:x.db?mode=memory").file, "");
}

TEST(JdbcUrlSqlite, pragmas_of_the_session_are_words_only) {
  const auto target = sqlite("jdbc:sqlite:a.db?foreign_keys=true&busy_timeout=1&cache_size=-2000");
  EXPECT_EQ(target.pragmas,
            (std::vector<std::pair<std::string, std::string>>{{"foreign_keys", "true"}, {"cache_size", "-2000"}}));
  EXPECT_FALSE(parse_jdbc_url("jdbc:sqlite:a.db?foreign_keys=1;drop").ok());
  EXPECT_FALSE(parse_jdbc_url("jdbc:sqlite:a.db?unknown=1").ok());
  EXPECT_FALSE(parse_jdbc_url("jdbc:sqlite:a.db?mode=ro").ok()) << "it would be of no effect";
}

TEST(JdbcUrlPostgres, has_many_forms) {
  EXPECT_EQ(place("jdbc:postgresql://db.example:5433/wh"), "db.example 5433 wh");
  EXPECT_EQ(place("jdbc:postgresql://db.example/wh"), "db.example 5432 wh");
  EXPECT_EQ(place("jdbc:postgresql://db.example/"), "db.example 5432 ");
  EXPECT_EQ(place("jdbc:postgresql://db.example"), "db.example 5432 ");
  EXPECT_EQ(place("jdbc:postgresql:///wh"), "localhost 5432 wh");
  EXPECT_EQ(place("jdbc:postgresql:wh"), "localhost 5432 wh");
  EXPECT_EQ(place("jdbc:postgresql:/"), "localhost 5432 ");
  EXPECT_EQ(place("jdbc:postgresql://[::1]:5433/wh"), "::1 5433 wh");
  EXPECT_EQ(place("jdbc:postgresql://[::1]/wh"), "::1 5432 wh");
  EXPECT_EQ(place("jdbc:postgresql://a:1,b,[::2]:3/wh"), "a,b,::2 1,5432,3 wh");
  EXPECT_EQ(place("jdbc:postgresql://%2Frun%2Fpg:5433/my%20db"), "/run/pg 5433 my db");
}

TEST(JdbcUrlPostgres, refuses_what_it_cannot_read) {
  for (const auto* url : {"jdbc:postgresql://h:port/d", "jdbc:postgresql://[::1/d", "jdbc:postgresql://[::1]x/d",
                          "jdbc:postgresql://h/d%2", "jdbc:postgresql://h/d?user=%zz", "jdbc:postgresql://h/%00",
                          "jdbc:mysql://h/d", "postgresql://h/d", ""}) {
    const auto target = parse_jdbc_url(url);
    ASSERT_FALSE(target.ok()) << url;
    EXPECT_EQ(target.error().code, ErrorCode::kUsage);
  }
}

TEST(JdbcUrlPostgres, an_error_shows_no_password) {
  for (const auto* url : {"jdbc:oracle:x?password=hunter22", "jdbc:oracle:thin:scott/hunter22@h",
                          "jdbc:postgresql://u:hunter22@h/d", "jdbc:postgresql://h/d?password=hunter22",
                          "jdbc:sqlite:x?key=hunter22", "jdbc:postgresql:hunter22@d", "hunter22"}) {
    const auto target = parse_jdbc_url(url);
    ASSERT_FALSE(target.ok()) << url;
    EXPECT_EQ((target.error().message + target.error().hint).find("hunter22"), std::string::npos) << url;
  }
}

TEST(JdbcUrlPostgres, parameters_become_libpq_keywords) {
  const auto target = postgres(
      "jdbc:postgresql://h/"
      "d?user=a%40b&ApplicationName=j%26o%3D+b&connectTimeout=7&currentSchema=s,%22T%22"
      "&sslmode=require&prepareThreshold=0&targetServerType=primary&options=-c%20timezone=CET");
  EXPECT_EQ(target.keyword("user"), "a@b");
  EXPECT_EQ(target.keyword("application_name"), "j&o= b");
  EXPECT_EQ(target.keyword("connect_timeout"), "7");
  EXPECT_EQ(target.keyword("sslmode"), "require");
  EXPECT_EQ(target.keyword("target_session_attrs"), "read-write");
  EXPECT_EQ(target.keyword("prepareThreshold"), "");
  EXPECT_EQ(target.search_path, "s,\"T\"");
  EXPECT_TRUE(target.time_zone_chosen);
  EXPECT_FALSE(postgres("jdbc:postgresql:d").time_zone_chosen);
}

TEST(JdbcUrlPostgres, ssl_means_verified_unless_said_otherwise) {
  EXPECT_EQ(postgres("jdbc:postgresql://h/d?ssl=true").keyword("sslmode"), "verify-full");
  EXPECT_EQ(postgres("jdbc:postgresql://h/d?ssl").keyword("sslmode"), "verify-full");
  EXPECT_EQ(postgres("jdbc:postgresql://h/d?sslmode=prefer&ssl=true").keyword("sslmode"), "prefer");
  EXPECT_EQ(
      postgres("jdbc:postgresql://h/d?ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory").keyword("sslmode"),
      "require");
  EXPECT_EQ(postgres("jdbc:postgresql://h/d?ssl=false").keyword("sslmode"), "");
}

}  // namespace
}  // namespace pipekit::jrunner
