#include "shared/nearest.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace pipekit {
namespace {

constexpr size_t kLongest = 100;  // longer words are compared by their beginning: the work is quadratic
constexpr size_t kListed = 12;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, kLongest);
  b = b.substr(0, kLongest);
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known) {
  const std::string* best = nullptr;
  size_t limit = std::max<size_t>(2, std::min(word.size(), kLongest) / 3) + 1;
  for (const auto& candidate : known) {
    const auto distance = edit_distance(word, candidate);
    // Nothing left of the word is no likeness: "ab" is not nearly "xy".
    if (distance >= limit || distance >= std::max(word.size(), candidate.size())) continue;
    limit = distance;
    best = &candidate;
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> known) {
  if (const auto near = nearest(word, known)) return fmt::format("did you mean '{}'?", *near);
  if (known.empty()) return {};
  const auto listed = known.first(std::min(known.size(), kListed));
  return fmt::format("known: {}{}", fmt::join(listed, ", "), listed.size() < known.size() ? ", ..." : "");
}

}  // namespace pipekit
