#include "worker/jrunner/script.h"

#include <cstdio>
#include <string>

namespace pipekit::jrunner {

Error at_statement(Error error, const StatementPlace& place) {
  error.message = "statement " + std::to_string(place.number) + ", line " + std::to_string(place.line) + " (" +
                  place.first_line + "): " + error.message;
  return error;
}

void warn_open_transaction() {
  std::fputs("warning: the script ended inside a transaction, which was rolled back; COMMIT would keep it\n", stderr);
}

}  // namespace pipekit::jrunner
