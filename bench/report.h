// Summaries for people and for programs. Pure. The table fits into 80 columns.
#pragma once

#include <string>
#include <vector>

#include "bench/summary.h"

namespace pipekit::bench {

// 1234567.8 -> "1,234,568", 12.345 -> "12.3", 0.1234 -> "0.12"
std::string number_text(double value);

// A heading and a line for each figure; empty when there is none.
std::string table(const std::string& title, const std::vector<Summary>& summaries);
std::string markdown(const std::string& title, const std::vector<Summary>& summaries);

// One JSON object each, without the line end.
std::string json_line(const std::string& bench, const Round& round, const Line& line);
std::string json_line(const Summary& summary);

}  // namespace pipekit::bench
