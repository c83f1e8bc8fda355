// Text as a terminal shows it. Pure. Widths are columns, from the C library's Unicode tables: wide East Asian
// characters and emoji take two, combining marks none. Bytes that are not UTF-8 count as one column each and are shown
// as U+FFFD.
#pragma once

#include <string>
#include <string_view>

namespace pipekit::ctl {

size_t display_width(std::string_view text);

// At most `width` columns, the last of them "…" when something was cut. Never between a character and its marks.
std::string cut(std::string_view text, size_t width);

// One line of text from elsewhere, as it will be shown: its width can be relied on (terminal_line).
std::string printable(std::string_view text);

// The same for several lines, such as an error and its hint; those after the first are indented.
std::string printable_lines(std::string_view text);

}  // namespace pipekit::ctl
