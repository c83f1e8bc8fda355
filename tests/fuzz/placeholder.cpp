// Input: a source query.
#include "shared/placeholder.h"

#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

bool escapes_braces(std::string_view text) {
  return text.find("{{") != std::string_view::npos || text.find("}}") != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::Input(data, size).rest();
  const auto names = placeholders_in(text);
  std::map<std::string, std::string> values;
  for (const auto& name : names) {
    require(is_placeholder_name(name), "only names are placeholders");
    require(values.emplace(name, '{' + name + '}').second, "each name is told once");
  }
  const auto same = substitute(text, values);
  require(same.ok(), "with a value for each it can be put together");
  require(escapes_braces(text) || *same == text, "values go in as they are, all else stays");
  values.emplace("no_such_name_in_here_0123456789", "");
  require(names.size() == values.size() || !substitute(text, values).ok(), "a value without a placeholder is refused");
  if (!names.empty()) require(!substitute(text, {}).ok(), "a placeholder without a value is refused");
  return 0;
}
