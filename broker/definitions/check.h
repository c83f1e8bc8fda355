// A definition as given -> the complete definition, and what is wrong with it. Complete: every field of
// definition_fields.h with its value or default, lists as lists, members as {module, run_order}. Two definitions are
// the same when their complete forms are equal after sort_parts(). Pure: whether references exist is not asked here.
#pragma once

#include <functional>
#include <string>

#include "broker/definitions/problem.h"
#include "shared/definition_fields.h"
#include "shared/protocol.h"
#include "shared/sql_scanner.h"

namespace pipekit::definitions {

std::string join_path(const std::string& path, std::string_view key);

// Unknown fields, types, missing ones, words, ranges; parts too. With problems the answer is of no use.
Json complete(Kind kind, const Json& given, const std::string& path, Problems& problems);

// What the rules need to know of definitions that this one refers to. Unset: not known.
struct Referred {
  std::function<SqlDialect(const Json& connection)> dialect_of{};
  std::function<std::string(const Json& driver)> url_template_of{};
};

// What ties fields together: keys of a strategy, SQL with its placeholders and watermarks, duplicates. Of a complete
// definition.
void check_rules(Kind kind, const Json& definition, const std::string& path, Problems& problems,
                 const Referred& referred = {});
// The same for an edit; problems that the definition already had are not reported. `before_referred`: what `before`
// referred to, which the same edit may change.
void check_edit(Kind kind, const Json& before, const Json& definition, const std::string& path, Problems& problems,
                const Referred& before_referred = {}, const Referred& referred = {});

// Watermarks by name, hooks by run_order, members by (run_order, module), schedules by what identifies them.
void sort_parts(Json& definition);

// By what a part is recognised in its list; a hook by its place only, so empty.
std::string part_key(Kind kind, const Json& part);

// Calls visit(field, value, path) for every reference that is given, those of parts too.
template <class Visit>
void for_each_reference(Kind kind, const Json& definition, const std::string& path, const Visit& visit) {
  for (const auto& field : fields_of(kind)) {
    if (!field.refers_to || !definition.contains(field.name) || definition.at(std::string(field.name)).is_null())
      continue;
    visit(field, definition.at(std::string(field.name)), join_path(path, field.name));
  }
  for (const auto& part : parts_of(kind)) {
    if (!definition.contains(part.name)) continue;
    size_t index = 0;
    for (const auto& one : definition.at(std::string(part.name))) {
      const auto at = join_path(path, part.name) + "[" + std::to_string(index++) + "]";
      for_each_reference(part.kind, one, at, visit);
    }
  }
}

}  // namespace pipekit::definitions
