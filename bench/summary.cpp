#include "bench/summary.h"

#include <algorithm>
#include <cmath>

namespace pipekit::bench {
namespace {

std::optional<double> find(const Round& round, const std::string& variant, const std::string& value) {
  for (const auto& line : round.lines) {
    if (line.variant != variant) continue;
    const auto found = line.values.find(value);
    if (found != line.values.end()) return found->second;
  }
  return std::nullopt;
}

Summary summary_of(const std::string& bench, const Figure& figure, const std::vector<Round>& rounds) {
  Summary summary{bench, figure, {}, {}, std::nullopt, 0};
  std::vector<double> ratios;
  for (const auto& round : rounds) {
    const auto value = find(round, figure.variant, figure.value);
    if (!value) continue;
    summary.rounds.push_back(*value);
    summary.disturbed += round.disturbed ? 1 : 0;
    const auto beside = find(round, figure.beside_variant, figure.beside_value);
    if (beside && *beside > 0) ratios.push_back(*value / *beside);
  }
  if (summary.rounds.empty()) return summary;
  summary.spread = spread_of(summary.rounds);
  if (!ratios.empty()) summary.ratio = spread_of(ratios);
  return summary;
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

double percentile(std::vector<double> values, double p) {
  std::ranges::sort(values);
  const auto rank = static_cast<size_t>(std::ceil(p / 100 * static_cast<double>(values.size())));
  return values[std::clamp<size_t>(rank, 1, values.size()) - 1];
}

std::vector<Summary> summarise(const std::string& bench, const std::vector<Figure>& figures,
                               const std::vector<Round>& rounds) {
  std::vector<Summary> summaries;
  for (const auto& figure : figures) {
    auto summary = summary_of(bench, figure, rounds);
    if (!summary.rounds.empty()) summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace pipekit::bench
