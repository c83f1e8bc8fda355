// The English in a file: what people read, without code around it.
//
// A passage is a piece of text that reads without a break: a paragraph, a cell of a table, a string literal together
// with the literals that follow it directly. It is in lower case, each white space is one blank, and each character
// knows its line, so a phrase is found across line ends and literals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipekit::test {

struct Passage {
  std::string text;
  std::vector<int> lines;  // for each character of the text, from 1
};

// C++: string literals, raw ones too. No includes.
std::vector<Passage> literals_in(std::string_view source);
// C++: comments; consecutive lines are one passage.
std::vector<Passage> comments_in(std::string_view source);
// Markdown without code blocks and code in backticks, which show names and output.
std::vector<Passage> markdown_in(std::string_view text);
// A manual page without macros and fonts.
std::vector<Passage> manual_in(std::string_view text);
// Scripts, units, configuration and SQL: every line; consecutive comment lines are one passage.
std::vector<Passage> lines_in(std::string_view text);

// The places in the passage where the phrase begins, as whole words.
std::vector<size_t> places_of(const Passage& passage, std::string_view phrase);

}  // namespace pipekit::test
