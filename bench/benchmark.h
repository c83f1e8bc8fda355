// One benchmark: a name, what its table shows, and one round of it. A round creates everything it needs and removes it,
// so that all rounds are alike. It throws std::runtime_error if anything goes wrong, because a figure from a broken run
// is worse than none.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/summary.h"

namespace pipekit::bench {

struct Sizes {
  double seconds = 4;      // of each phase that has no size of its own
  int64_t rows = 300'000;  // of a transfer
};

struct Benchmark {
  std::string name;
  std::string title;
  std::vector<Figure> figures;
  std::function<std::vector<Line>(const Sizes&)> round;
  bool only_when_named = false;  // takes long, or needs root
};

Benchmark dispatch_benchmark();
Benchmark log_benchmark();
Benchmark module_benchmark();
Benchmark transfer_benchmark();
Benchmark start_benchmark();
Benchmark recovery_benchmark();

}  // namespace pipekit::bench
