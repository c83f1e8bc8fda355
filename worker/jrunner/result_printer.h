// Prints the last result set of a script. Which one is the last is known only at the script's end, so rows are kept
// (see Spool) and a later result set replaces them. A script that fails prints none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "worker/jrunner/spool.h"
#include "worker/jrunner/standard_output.h"
#include "worker/jrunner/table_format.h"

namespace pipekit::jrunner {

class ResultPrinter {
 public:
  explicit ResultPrinter(TableFormat format) : format_(format) {}

  // Begins a new result set; its first row contains the column names.
  void begin_result() { spool_.clear(); }
  void add_field(std::optional<std::string_view> value);
  void end_row();
  void print(StandardOutput& out);

 private:
  TableFormat format_;
  Spool spool_{};
  std::string line_{};
  bool first_field_ = true;
};

}  // namespace pipekit::jrunner
