// A document as a test reads it: files that the reader creates, and commands with their output.
//
// A fenced block that names a file after its language (```yaml orders.yaml) is that file. A line "$ command" in a
// ```console block or an indented block is run by bash; the lines below it, up to the next command or the end of the
// block, are its output. A line "…" matches any lines, and "# exit 4" after a command is its exit code.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace pipekit::test {

struct DocumentFile {
  std::string name;
  std::string content;
};

struct DocumentCommand {
  int line = 0;  // in the document, from 1
  std::string command;
  int exit_code = 0;
  std::vector<std::string> output;
};

using DocumentStep = std::variant<DocumentFile, DocumentCommand>;

std::vector<DocumentStep> read_document(const std::string& text);

// Without the parts that differ between runs: times, durations, widths of columns.
std::vector<std::string> comparable_lines(const std::string& text);

// Whether the lines match the document.
bool is_as_shown(const std::vector<std::string>& shown, const std::vector<std::string>& printed);

}  // namespace pipekit::test
