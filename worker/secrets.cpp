#include "worker/secrets.h"

#include <algorithm>
#include <cstdlib>

namespace pipekit::worker {
namespace {

bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool is_name_character(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

bool is_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, is_name_character);
}

}  // namespace

std::optional<std::string> referenced_variable(std::string_view reference) {
  if (!reference.starts_with('$')) return std::nullopt;
  reference.remove_prefix(1);
  if (reference.starts_with('{') && reference.ends_with('}')) reference = reference.substr(1, reference.size() - 2);
  if (!is_name(reference)) return std::nullopt;
  return std::string(reference);
}

Result<std::string> resolve_secret(std::string_view reference, const VariableLookup& lookup) {
  if (reference.empty()) return std::string{};
  const auto name = referenced_variable(reference);
  if (!name) {
    return Error{ErrorCode::kInvalid, "a password is not a reference of the form $NAME",
                 "write the password into the worker's environment and refer to it as $NAME"};
  }
  if (auto value = lookup(*name)) return *std::move(value);
  return Error{ErrorCode::kUnavailable, "the password variable " + *name + " is missing in the worker's environment",
               "set " + *name + " in the worker's environment (as a service: its secrets file) and restart the worker"};
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace pipekit::worker
