#include "worker/jrunner/result_printer.h"

namespace pipekit::jrunner {

void ResultPrinter::add_field(std::optional<std::string_view> value) {
  if (!first_field_) line_ += separator(format_);
  first_field_ = false;
  append_field(format_, value, line_);
}

void ResultPrinter::end_row() {
  line_ += '\n';
  spool_.append(line_);
  line_.clear();
  first_field_ = true;
}

void ResultPrinter::print(StandardOutput& out) {
  constexpr size_t kPiece = size_t{64} * 1024;
  spool_.rewind();
  for (auto bytes = spool_.read(kPiece); !bytes.empty(); bytes = spool_.read(kPiece)) out.write(bytes);
}

}  // namespace pipekit::jrunner
