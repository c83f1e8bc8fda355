// Numbers as text, exactly. SQLite has 64-bit integers and doubles only, and a column with a numeric affinity silently
// rounds longer decimals; these functions detect that. Pure; independent of the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace pipekit::jrunner {

struct NotANumber {};
struct Inexact {};  // a number that neither an int64 nor a double holds

// How SQLite's numeric columns would store a text, by SQLite's conversion rules: as an integer if the value is one,
// else as the double whose shortest decimal form has the same value.
using ExactNumber = std::variant<NotANumber, Inexact, int64_t, double>;
ExactNumber exact_number(std::string_view text);

// Whether the double has the integer's value.
bool fits_double(int64_t value);

void append_integer(int64_t value, std::string& out);
// The shortest digits that read back as the same double, written as people write them: "0.1", "3", "100000", "NaN",
// "Infinity", "-Infinity"; with an exponent only below 0.00001 and from 1e19 on, beyond any 64-bit integer: whether a
// number fits an integer column must not depend on how many zeros end it.
void append_real(double value, std::string& out);
// The same, but a whole number keeps its ".0", as SQLite prints it.
void append_real_as_text(double value, std::string& out);

// Whether a numeric column would change how the text is written, even if it keeps the value: "007", "1.50", " 7".
bool loses_its_spelling(std::string_view text);

}  // namespace pipekit::jrunner
