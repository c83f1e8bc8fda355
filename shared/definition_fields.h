// The fields of every kind of definition: the one table behind definition files, the arguments of add and update,
// validation, diff and export. To add a field: one row here, one column in a migration (a reference's column is its
// name + "_id"), and what uses it. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/protocol.h"

namespace pipekit {

enum class Kind { driver, connection, module, group, watermark, hook, member, schedule };

// "connection"; also the first half of a verb.
std::string_view to_string(Kind kind);
std::optional<Kind> kind_from(std::string_view word);
std::span<const Kind> all_kinds();

enum class FieldType {
  text,
  integer,
  boolean,
  text_list,  // one text, or a list of them
  reference,  // to another kind, by name (id is accepted from clients, not in files)
};

struct Field {
  std::string_view name;
  FieldType type = FieldType::text;
  bool required = false;
  std::string_view default_json = "null";  // as JSON; null: may be absent
  std::string_view about;                  // one line for people
  std::optional<Kind> refers_to{};
  std::span<const std::string_view> words{};  // the only ones allowed
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();

  [[nodiscard]] Json default_value() const { return Json::parse(default_json); }
};

// A list inside a definition: a module's watermarks. Files and add take it inline.
struct Part {
  std::string_view name;  // "watermarks"
  Kind kind;
};

std::span<const Field> fields_of(Kind kind);
std::span<const Part> parts_of(Kind kind);
const Field* find_field(Kind kind, std::string_view name);
const Part* find_part(Kind kind, std::string_view name);
// Names of fields and parts.
std::vector<std::string> known_keys(Kind kind);

// The lists of a definition file, in the order in which they are applied: drivers, connections, modules, groups.
std::span<const Part> document_parts();

}  // namespace pipekit
