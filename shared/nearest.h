// Finds the known word that a mistyped word probably means. Pure, thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pipekit {

// Levenshtein distance in bytes, ASCII letters compared without case.
size_t edit_distance(std::string_view a, std::string_view b);

// The closest of `known`, the first of equally close ones; none when even that differs in more than a third of the
// letters (at least two, so that short words still match).
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known);

// A hint: "did you mean 'orders'?", else what there is ("known: a, b, c"), cut after a dozen; empty with no candidates.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace pipekit
