// Many seeds, one after another, on a terminal: progress, a summary, and how to replay a failure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pipekit::simulation {

struct Campaign {
  uint64_t first = 1;
  std::optional<int64_t> seeds;
  std::optional<int64_t> minutes;
  std::string fault;  // planted
  bool trace = false;

  // 0: no promise was broken; 1: one was broken, which ends the campaign.
  [[nodiscard]] int run() const;
};

}  // namespace pipekit::simulation
