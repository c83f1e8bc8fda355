// Input: a definition file. It takes the path of `apply`: pipekit-ctl reads the text, the broker reads the JSON, and
// `export` writes it again. Input that is JSON goes to the broker directly, as from a client that checks nothing.
#include <cstdlib>

#include "broker/definitions/check.h"
#include "ctl/definition_file.h"
#include "shared/definition_fields.h"
#include "shared/utf8.h"
#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

// Every definition of the document in its complete form.
Json completed(const ctl::DefinitionSet& set) {
  const auto& document = set.document;
  Json all = Json::array();
  for (const auto& part : document_parts()) {
    const auto list = document.find(std::string(part.name));
    if (list == document.end() || !list->is_array()) continue;
    for (const auto& one : *list) {
      definitions::Problems problems;
      auto whole = definitions::complete(part.kind, one, "it", problems);
      if (problems.empty()) {
        definitions::check_rules(part.kind, whole, "it", problems);
        definitions::sort_parts(whole);
      }
      const auto told = ctl::describe_problems(set, definitions::to_json(problems));
      require(problems.empty() == told.empty() && is_valid_utf8(told), "problems can be told");
      all.push_back(std::move(whole));
    }
  }
  return all;
}

}  // namespace

// Looking up an unknown time zone searches all of them, which is slow: here there are none.
extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) { return ::setenv("TZDIR", "/dev/null", 1); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzz::Input(data, size).rest());
  if (const auto json = Json::parse(text, nullptr, false); json.is_object()) completed({json, {}});
  const auto set = ctl::parse_definitions("it", text);
  if (!set) return 0;
  const auto written = ctl::write_yaml(set->document);
  const auto again = ctl::parse_definitions("written", written);
  require(again.ok(), "what was written can be read");
  require(completed(*again) == completed(*set), "what is read from it means the same");
  return 0;
}
