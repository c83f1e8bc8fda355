#include "broker/definitions/problem.h"

#include <fmt/format.h>

#include <map>

namespace pipekit::definitions {
namespace {

// "schedules[1].timezone" -> "schedules[].timezone"
std::string place_of(const Problem& problem) {
  std::string place;
  bool in_index = false;
  for (const char c : problem.path) {
    in_index = (in_index || c == '[') && c != ']';
    if (!in_index || c == '[') place += c;
  }
  return place + ": " + problem.message;
}

}  // namespace

Problems new_problems(const Problems& before, Problems after) {
  std::map<std::string, size_t> known;
  for (const auto& problem : before) ++known[place_of(problem)];
  std::erase_if(after, [&](const Problem& problem) {
    const auto found = known.find(place_of(problem));
    if (found == known.end() || found->second == 0) return false;
    --found->second;
    return true;
  });
  return after;
}

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
  if (enough(problems)) error.message += "\nthere may be more problems; only the first ones are listed";
  return error;
}

}  // namespace pipekit::definitions
