#include "tests/support/postgres_cluster.h"

#include <gtest/gtest.h>

namespace pipekit::test {
namespace {

TEST(PostgresCluster, a_fresh_database_takes_statements_over_the_socket_and_over_tcp) {
  auto& cluster = PostgresCluster::shared();
  const auto database = cluster.create_database();
  PostgresSession local(cluster.conninfo(database));
  local.query("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (NULL)");
  PostgresSession tcp("host=127.0.0.1 port=" + std::to_string(cluster.port()) + " user=postgres password='" +
                      cluster.password() + "' dbname=" + database);
  EXPECT_EQ(tcp.value("SELECT count(*) FROM t"), "2");
  EXPECT_EQ(tcp.query("SELECT a FROM t ORDER BY a")[1][0], std::nullopt);
}

TEST(PostgresCluster, tcp_asks_for_the_password) {
  auto& cluster = PostgresCluster::shared();
  EXPECT_ANY_THROW(
      PostgresSession("host=127.0.0.1 user=postgres password=wrong port=" + std::to_string(cluster.port())));
}

}  // namespace
}  // namespace pipekit::test
