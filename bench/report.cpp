#include "bench/report.h"

#include <fmt/format.h>

#include <cmath>

namespace pipekit::bench {
namespace {

std::string grouped(const std::string& digits) {
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string range_text(const Summary& summary) {
  if (summary.rounds.size() < 2) return "";
  return number_text(summary.spread.least) + ".." + number_text(summary.spread.greatest);
}

std::string beside_text(const Summary& summary) {
  if (!summary.ratio) return "";
  return fmt::format("{} x {}", number_text(summary.ratio->median), summary.figure.beside_label);
}

// A vertical bar would end the cell.
std::string cell(const std::string& text) {
  std::string safe;
  for (const char c : text) safe += c == '|' ? "\\|" : std::string(1, c);
  return safe;
}

Json json_of(const Spread& spread) {
  return {{"median", spread.median}, {"min", spread.least}, {"max", spread.greatest}};
}

}  // namespace

std::string number_text(double value) {
  const double size = std::abs(value);
  if (size >= 99.95) {
    const auto text = grouped(fmt::format("{:.0f}", size));
    return value < 0 ? "-" + text : text;
  }
  return size >= 9.995 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::string table(const std::string& title, const std::vector<Summary>& summaries) {
  if (summaries.empty()) return "";
  std::string text = fmt::format("{}\n", title);
  for (const auto& summary : summaries) {
    auto row = fmt::format("  {:<33} {:>9} {:<8} {:>19}", summary.figure.label, number_text(summary.spread.median),
                           summary.figure.unit, range_text(summary));
    while (row.ends_with(' ')) row.pop_back();
    text += row + (summary.disturbed > 0 ? " ~" : "") + "\n";
    if (summary.ratio) text += fmt::format("  {:<33} {:>9}\n", "", beside_text(summary));
  }
  return text;
}

std::string markdown(const std::string& title, const std::vector<Summary>& summaries) {
  if (summaries.empty()) return "";
  auto text = fmt::format("| {} | median | | min..max | beside |\n|---|---:|---|---:|---|\n", title);
  for (const auto& summary : summaries) {
    text += fmt::format("| {} | {} | {} | {} | {} |\n", summary.figure.label, number_text(summary.spread.median),
                        summary.figure.unit, range_text(summary), cell(beside_text(summary)));
  }
  return text;
}

std::string json_line(const std::string& bench, const Round& round, const Line& line) {
  Json json = line.labels;
  json["bench"] = bench;
  json["variant"] = line.variant;
  json["round"] = round.number;
  json["disturbed"] = round.disturbed;
  for (const auto& [name, value] : line.values) json[name] = value;
  return json.dump();
}

std::string json_line(const Summary& summary) {
  Json json = json_of(summary.spread);
  json["kind"] = "summary";
  json["bench"] = summary.bench;
  json["variant"] = summary.figure.variant;
  json["figure"] = summary.figure.value;
  json["label"] = summary.figure.label;
  json["unit"] = summary.figure.unit;
  json["rounds"] = summary.rounds;
  json["disturbed"] = summary.disturbed;
  if (summary.ratio) json["ratio"] = {{"to", summary.figure.beside_label}, {"spread", json_of(*summary.ratio)}};
  return json.dump();
}

}  // namespace pipekit::bench
