// Definition files (CONTRACT.md): YAML to one JSON document for `apply` and `diff`, and back for `export`. What needs
// the text is checked here and reported with file and line: syntax, keys, types, numbers, duplicates. The broker checks
// references and values, and reports them by path, which locate() turns into file and line. Pure except for reading the
// files. Thread-safe: no state.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"
#include "shared/protocol.h"

namespace pipekit::ctl {

struct SourceLine {
  std::string file;
  int line = 0;  // from 1
};

struct DefinitionSet {
  // {drivers: [], connections: [], modules: [], groups: []}; a list that no file has is absent. Fields are as written,
  // with the types of definition_fields.h; absent ones stay absent, null counts as absent. Members are all in the form
  // {module, run_order}.
  Json document = Json::object();
  std::map<std::string, SourceLine> lines;  // "modules[3].merge_strategy", "modules[3].watermarks[0].name"

  // The line of `path`, or of the nearest thing around it; nullptr when there is none.
  [[nodiscard]] const SourceLine* locate(std::string_view path) const;
};

// Files, directories (their *.yaml and *.yml, sorted by name) and - for stdin, merged into one set. Every problem is
// reported, one per line, each as "FILE:LINE: reason" (kInvalid); kNotFound when there is nothing to read; kUsage for a
// file that is given twice, by whatever path.
Result<DefinitionSet> read_definitions(const std::vector<std::string>& paths);

// The same for a text that has been read; `file` is its name in messages.
Result<DefinitionSet> parse_definitions(const std::string& file, const std::string& text);

// The problems in a reply to apply or diff, for people: "FILE:LINE: message", one per line.
std::string describe_problems(const DefinitionSet& set, const Json& problems);

// Round-trips: what parse_definitions reads from it means the same. SQL of several lines becomes a block.
std::string write_yaml(const Json& document);

}  // namespace pipekit::ctl
