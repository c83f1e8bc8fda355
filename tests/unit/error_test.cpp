#include "shared/error.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

TEST(Error, every_code_survives_its_word) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kMalformed); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(error_code_from(to_string(code)), code) << to_string(code);
  }
}

TEST(Error, a_word_from_a_later_version_is_unexpected) {
  EXPECT_EQ(error_code_from("quota_exceeded"), ErrorCode::kUnexpected);
  EXPECT_EQ(exit_code(ErrorCode::kUnexpected), 1);
}

}  // namespace
}  // namespace pipekit
