// The result set that will be printed: the last one of a script, known only when the script has ended. So rows are
// kept (see Spool) and a later result set replaces them; a script that fails prints none.
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

  // A new result set; its first line are the columns' names, given as one row.
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
