#include "broker/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::HasSubstr;
using testing::Not;

Reply decoded(const Frames& frames) {
  const auto message = decode_broker_to_client(frames.head, frames.body);
  EXPECT_TRUE(message);
  return std::get<Reply>(*message);
}

TEST(Answer, that_fits_into_no_frame_becomes_a_refusal_of_the_same_request) {
  const Reply fits{7, std::nullopt, std::string(1000, 'x')};
  EXPECT_EQ(decoded(encode_answer(fits, false)).body, fits.body);
  const BrokerToClient large = Reply{7, std::nullopt, std::string(kMaxFrameBytes, 'x')};
  const auto refused = decoded(encode_answer(large, false));
  EXPECT_EQ(refused.number, 7);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, "too_large");
  EXPECT_THAT(refused.error->message, HasSubstr("16 MiB; at most 16 MiB are allowed"));
  EXPECT_THAT(refused.error->message, Not(HasSubstr("executed")));
  EXPECT_THAT(decoded(encode_answer(large, true)).error->message, HasSubstr("was executed"));
  EXPECT_EQ(exit_code(error_code_from("too_large")), 3);
}

}  // namespace
}  // namespace pipekit
