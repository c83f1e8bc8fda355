#include "broker/definitions/problem.h"

#include <fmt/format.h>

namespace pipekit::definitions {

Json to_json(const Problems& problems) {
  Json all = Json::array();
  for (const auto& [path, message, hint] : problems) {
    all.push_back({{"path", path}, {"message", message}, {"hint", hint}});
  }
  return all;
}

Error to_error(const Problems& problems) {
  Error error{ErrorCode::kInvalid, {}, {}};
  for (const auto& [path, message, hint] : problems) {
    if (!error.message.empty()) error.message += '\n';
    error.message += path.empty() ? message : fmt::format("{}: {}", path, message);
    if (error.hint.empty()) error.hint = hint;
  }
  return error;
}

}  // namespace pipekit::definitions
