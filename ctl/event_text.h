// Events as lines. Pure.
#pragma once

#include <string>

#include "ctl/render.h"
#include "shared/protocol.h"

namespace pipekit::ctl {

// One event as a person reads it: "2026-03-01 03:20:01 CET  run.step  orders #12  staging". A log line is dimmed.
std::string event_line(const Event& event, const Style& style);

// In the format that was asked for: a JSON line, a YAML document, a CSV record (titles: event_csv_titles()).
std::string event_record(const Event& event, Format format);
std::string event_csv_titles();

// "error: relation does not exist" and the like: what an event says beyond its name.
std::string event_detail(const Event& event);

}  // namespace pipekit::ctl
