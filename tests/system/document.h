// A document as a test sees it: files that it has the reader write, and what it shows of a terminal.
//
// A fenced block that names a file after its language (```yaml orders.yaml) is that file. A line "$ command" in a
// ```console block or an indented one is run by bash; the lines below it, up to the next command or the block's end,
// are what it prints. A line "…" stands for any lines, and "# exit 4" after a command for its exit code.
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
  int line = 0;  // of the document, from 1
  std::string command;
  int exit_code = 0;
  std::vector<std::string> output;
};

using DocumentStep = std::variant<DocumentFile, DocumentCommand>;

std::vector<DocumentStep> read_document(const std::string& text);

// Without what differs from one run to the next: times, durations, widths of columns.
std::vector<std::string> comparable_lines(const std::string& text);

// Whether the lines are those that the document shows.
bool is_as_shown(const std::vector<std::string>& shown, const std::vector<std::string>& printed);

}  // namespace pipekit::test
