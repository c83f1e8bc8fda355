// Lines of a log: control characters in a message are shown as escapes, and a message of several lines is indented, so
// that no message can look like another entry, or act on the terminal that shows the log.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>

namespace pipekit {

// "2026-03-01T02:20:00.000 info pipekit-worker: text".
std::unique_ptr<spdlog::formatter> log_formatter();

}  // namespace pipekit
