// The simulated disk keeps what was synced, and guarantees nothing else.
#include "tests/simulation/disk.h"

#include <gtest/gtest.h>

#include "broker/store/database.h"
#include "tests/support/temp_dir.h"

namespace pipekit::simulation {
namespace {

class SimulatedDisk : public testing::Test {
 protected:
  SimulatedDisk() { open(); }
  ~SimulatedDisk() override { db_.reset(); }
  void open() { db_ = std::make_unique<store::Database>(dir_.file("pipekit.db"), store::Database::Mode::read_write); }
  void lose_power() {
    disk_.process_dies();
    db_.reset();
    disk_.power_goes();
    open();
  }
  int64_t rows() { return db_->value<int64_t>("SELECT count(*) FROM t").value_or(-1); }

  Random random_{1};
  Disk disk_{random_};
  test::TempDir dir_{test::memory_directory()};
  std::unique_ptr<store::Database> db_;
};

TEST_F(SimulatedDisk, keeps_what_was_committed) {
  db_->execute_script("CREATE TABLE t (i)");
  for (int i = 1; i <= 50; ++i) {
    db_->run("INSERT INTO t VALUES (?)", i);
    lose_power();
    ASSERT_EQ(rows(), i);
  }
}

TEST_F(SimulatedDisk, loses_what_was_not_synced) {
  db_->execute_script("CREATE TABLE t (i); PRAGMA synchronous=OFF");
  bool lost = false;
  for (int i = 0; i < 20 && !lost; ++i) {
    db_->execute_script("PRAGMA synchronous=OFF");
    const auto before = rows();
    db_->run("INSERT INTO t VALUES (1)");
    lose_power();
    lost = rows() == before;
  }
  EXPECT_TRUE(lost);
}

TEST_F(SimulatedDisk, says_that_it_is_full_and_goes_on_when_it_is_not) {
  db_->execute_script("CREATE TABLE t (i)");
  disk_.set_full(true);
  EXPECT_THROW(db_->run("INSERT INTO t VALUES (1)"), store::StoreError);
  disk_.set_full(false);
  db_->run("INSERT INTO t VALUES (1)");
  EXPECT_EQ(rows(), 1);
}

TEST_F(SimulatedDisk, does_nothing_for_a_dead_process) {
  db_->execute_script("CREATE TABLE t (i)");
  disk_.process_dies();
  EXPECT_THROW(db_->run("INSERT INTO t VALUES (1)"), store::StoreError);
  db_.reset();
  open();
  EXPECT_EQ(rows(), 0);
}

}  // namespace
}  // namespace pipekit::simulation
