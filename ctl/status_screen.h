// What `status` and `module list` show to people. Pure.
#pragma once

#include <string>
#include <vector>

#include "ctl/render.h"

namespace pipekit::ctl {

std::string status_screen(const Json& status, const Style& style);

// A table for each source connection: ✔ ✗ ○ ▶, strategy, last run, rows, duration, error.
std::string modules_by_source(const Json& modules, const Style& style);

std::vector<Column> worker_columns();
std::vector<Column> group_columns();
// When a schedule or a group fires next, and why it does not.
Column next_fire_column();

}  // namespace pipekit::ctl
