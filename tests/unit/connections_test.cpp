#include "broker/connections.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

TEST(Connections, keep_descriptors_for_the_store_and_for_local_sockets) {
  for (const int open_files : {64, 100, 256, 1024, 2048, 65'536, 1 << 30}) {
    for (const bool tcp : {false, true}) {
      const auto limits = limits_of_connections(open_files, 30, tcp);
      EXPECT_GE(open_files - limits.local_below, 8) << open_files;
      EXPECT_LE(limits.tcp_below, limits.local_below) << open_files;
      EXPECT_LE(limits.tcp_below, std::max(30, open_files / 10 * 8)) << open_files;
      EXPECT_GE(limits.of_user, 4) << open_files;
      EXPECT_LE(limits.of_user, 4096) << open_files;
      EXPECT_LE(limits.of_address, 2048) << open_files;
    }
  }
}

TEST(Connections, of_one_address_key_or_user_are_a_part_of_all) {
  const auto limits = limits_of_connections(2048, 40, true);
  const int room = limits.tcp_below - 40;
  EXPECT_EQ(limits.of_address, room / 4);
  EXPECT_EQ(limits.of_key, room / 8);
  EXPECT_EQ(limits.silent, room / 2);
  EXPECT_EQ(limits.silent_of_address, room / 8);
  EXPECT_EQ(limits.of_user, (limits.local_below - limits.tcp_below) / 3);
}

}  // namespace
}  // namespace pipekit
