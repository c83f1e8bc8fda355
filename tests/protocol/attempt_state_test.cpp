#include "shared/attempt_state.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

using enum AttemptState;
using E = AttemptEvent;

constexpr std::array kStates = {assigned, running, cancelling, lost, ended};
constexpr std::array kEvents = {E::started, E::refused, E::never_begun, E::finished, E::cancel, E::lease_ended};

std::string cell(AttemptState from, AttemptEvent event) {
  const auto to = next(from, event);
  return to ? std::string(to_string(*to)) : "";
}

// As in PROTOCOL.md.
std::string printed_table() {
  std::string text = "| state |";
  for (const auto event : kEvents) text += fmt::format(" {} |", to_string(event));
  text += "\n|---|";
  for (size_t i = 0; i < kEvents.size(); ++i) text += "---|";
  text += '\n';
  for (const auto from : kStates) {
    text += fmt::format("| **{}** |", to_string(from));
    for (const auto event : kEvents) text += fmt::format(" {} |", cell(from, event));
    text += '\n';
  }
  return text;
}

TEST(AttemptState, goes_where_the_table_says_from_every_state_at_every_event) {
  //                                  started       refused  never_begun finished cancel        lease_ended
  const std::map<AttemptState, std::array<const char*, 6>> expected = {
      {assigned, {"running", "ended", "ended", "ended", "cancelling", "lost"}},
      {running, {"", "", "lost", "ended", "cancelling", "lost"}},
      {cancelling, {"cancelling", "ended", "ended", "ended", "", "lost"}},
      {lost, {"", "ended", "", "ended", "", ""}},
      {ended, {"", "", "", "", "", ""}},
  };
  for (const auto from : kStates) {
    for (size_t i = 0; i < kEvents.size(); ++i) {
      EXPECT_EQ(cell(from, kEvents[i]), expected.at(from)[i]) << to_string(from) << ", " << to_string(kEvents[i]);
    }
  }
}

TEST(AttemptState, that_is_live_can_always_end) {
  for (const auto state : kStates) {
    if (!is_live(state)) continue;
    for (const auto event : {E::finished, E::lease_ended, E::never_begun}) {
      const auto to = next(state, event);
      ASSERT_TRUE(to) << to_string(state);
      EXPECT_FALSE(is_live(*to)) << to_string(state);
    }
  }
}

TEST(AttemptState, that_is_given_up_never_comes_to_life_again) {
  for (const auto state : {lost, ended}) {
    for (const auto event : kEvents) {
      const auto to = next(state, event);
      EXPECT_FALSE(to && is_live(*to)) << to_string(state) << ", " << to_string(event);
    }
  }
}

TEST(AttemptState, has_words_that_come_back) {
  for (const auto state : kStates) EXPECT_EQ(attempt_state_from(to_string(state)), state);
  EXPECT_EQ(attempt_state_from(""), std::nullopt);
  EXPECT_EQ(attempt_state_from("Running"), std::nullopt);
}

TEST(AttemptState, table_stands_in_the_protocols_page) {
  EXPECT_THAT(test::read_file(PIPEKIT_SOURCE_DIR "/shared/PROTOCOL.md"), testing::HasSubstr(printed_table()))
      << "the section \"States of an attempt\" is this text:\n"
      << printed_table();
}

}  // namespace
}  // namespace pipekit
