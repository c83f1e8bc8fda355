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
// C++: comments; lines that follow each other are one passage.
std::vector<Passage> comments_in(std::string_view source);
// Markdown without blocks of code and without what is quoted in backticks, both of which show names and output.
std::vector<Passage> markdown_in(std::string_view text);
// A manual page without macros and fonts.
std::vector<Passage> manual_in(std::string_view text);
// Scripts, units, configuration and SQL: comments that have a line to themselves or follow code, and lines of
// here-documents and settings as they are.
std::vector<Passage> lines_in(std::string_view text);

// Where the phrase begins in the passage, as whole words.
std::vector<size_t> places_of(const Passage& passage, std::string_view phrase);

}  // namespace pipekit::test
