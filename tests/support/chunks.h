// Ways to cut an input into chunks; a stream's result must not depend on them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <random>
#include <string_view>
#include <vector>

namespace pipekit::test {

inline std::vector<std::string_view> chunks_of(std::string_view text, std::size_t size) {
  std::vector<std::string_view> chunks;
  for (; !text.empty(); text.remove_prefix(chunks.back().size())) chunks.push_back(text.substr(0, size));
  return chunks;
}

inline std::vector<std::string_view> random_chunks(std::string_view text, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::string_view> chunks;
  for (; !text.empty(); text.remove_prefix(chunks.back().size())) chunks.push_back(text.substr(0, 1 + random() % 9));
  return chunks;
}

// Whole, byte by byte, in twos and threes, and at random.
inline std::vector<std::vector<std::string_view>> all_chunkings(std::string_view text) {
  std::vector<std::vector<std::string_view>> ways{{text}};
  for (std::size_t size = 1; size <= 3; ++size) ways.push_back(chunks_of(text, size));
  for (unsigned seed = 1; seed <= 5; ++seed) ways.push_back(random_chunks(text, seed));
  return ways;
}

}  // namespace pipekit::test
