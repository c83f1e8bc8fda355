// The fields of a definition as flags, and back: one table (shared/definition_fields.h) describes them all. Pure except
// for reading the files that flags name.
#pragma once

#include <string>
#include <vector>

#include "ctl/verb.h"
#include "shared/definition_fields.h"

namespace pipekit::ctl {

// --dest-table TEXT; --unique-key and --no-unique-key; --merge-key repeated; --source-query-file FILE beside
// --source-query. `name` is not among them: it is a positional.
std::vector<Flag> definition_flags(Kind kind);

// {field: value} of what was given; kUsage when a field is given twice in different ways or a file cannot be read.
Result<Json> fields_from(Kind kind, const Arguments& args);

// The one definition in a YAML file ("-": stdin): a map of its fields. Messages name file and line.
Result<Json> definition_from_file(Kind kind, const std::string& path);

// The whole of a file, "-": of stdin. kNotFound when it cannot be read.
Result<std::string> read_text(const std::string& path);

}  // namespace pipekit::ctl
