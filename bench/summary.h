// What a benchmark measured, and the summary of several rounds. Pure.
//
// A round yields lines; a line is one thing that was measured in one way (a variant) and has values by name. A value is
// summarized over all rounds by its median, minimum and maximum, because a mean hides outliers.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/protocol.h"

namespace pipekit::bench {

struct Line {
  std::string variant;                   // unique in its benchmark
  Json labels = Json::object();          // what else distinguishes it: strings
  std::map<std::string, double> values;  // by name: jobs_per_s, rt_p50_us, ...
};

struct Round {
  int number = 0;
  bool disturbed = false;  // other processes took a tenth of the machine or more
  std::vector<Line> lines;
};

// A value that the table shows.
struct Figure {
  std::string variant;
  std::string value;
  std::string label;
  std::string unit;
  // What it is compared with, measured in the same round; the ratio is this / that of each round.
  std::string beside_variant{};
  std::string beside_value{};
  std::string beside_label{};
};

struct Spread {
  double median = 0;
  double least = 0;
  double greatest = 0;
};

// Of at least one value.
Spread spread_of(std::vector<double> values);
// The p-th percentile, 0 to 100, by nearest rank; of at least one value.
double percentile(std::vector<double> values, double p);

struct Summary {
  std::string bench;
  Figure figure;
  Spread spread;
  std::vector<double> rounds;
  std::optional<Spread> ratio;
  int disturbed = 0;
};

// One for each figure that any round has, over the rounds that have it.
std::vector<Summary> summarise(const std::string& bench, const std::vector<Figure>& figures,
                               const std::vector<Round>& rounds);

}  // namespace pipekit::bench
