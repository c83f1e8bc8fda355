// Text as a terminal shows it. Pure. Widths are columns: wide East Asian characters and emoji take two, combining marks
// none. Bytes that are not UTF-8 count as one column each and are shown as U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace pipekit::ctl {

size_t display_width(std::string_view text);

// At most `width` columns, the last of them "…" when something was cut.
std::string cut(std::string_view text, size_t width);

// One line that cannot move the cursor or change colours: control characters become spaces, invalid bytes U+FFFD. What
// a database wrote into an error message goes through here before it reaches a terminal.
std::string printable(std::string_view text);

// The same for several lines, such as an error and its hint; those after the first are indented.
std::string printable_lines(std::string_view text);

}  // namespace pipekit::ctl
