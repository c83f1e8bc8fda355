// Numbers as text, exactly. SQLite has 64-bit integers and doubles only, and a column with a numeric affinity rounds a
// longer decimal without a word; these functions tell when that would happen. Pure; independent of the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace pipekit::jrunner {

struct NotANumber {};
struct Inexact {};  // a number that neither an int64 nor a double holds

// What SQLite's numeric columns would make of a text, by the rules of its text-to-number conversion: an integer where
// the value is one, else the double whose shortest decimal form has the same value.
using ExactNumber = std::variant<NotANumber, Inexact, int64_t, double>;
ExactNumber exact_number(std::string_view text);

// Whether the double has the integer's value.
bool fits_double(int64_t value);

void append_integer(int64_t value, std::string& out);
// The shortest form that reads back as the same double: "0.1", "3", "1e+300", "NaN", "Infinity", "-Infinity".
void append_real(double value, std::string& out);
// The same, but a whole number keeps its ".0", as SQLite prints it.
void append_real_as_text(double value, std::string& out);

}  // namespace pipekit::jrunner
