// The tables of each kind of definition, and the SQL that follows from its fields. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shared/definition_fields.h"

namespace pipekit::definitions {

enum class ColumnType { plain, flag, time };

// A column that is shown but not a field: kept by the broker, or derived.
struct ShownColumn {
  std::string_view name;
  std::string_view sql;
  ColumnType type = ColumnType::plain;
};

struct Table {
  std::string_view name;
  std::string_view order_by;
  std::optional<Kind> parent{};  // of a part
  std::string_view parent_column{};
  std::string_view joins{};
  bool stamped = false;         // has created_at, updated_at
  std::string_view fresh_id{};  // SELECT for the id of a new row; empty: SQLite's choice
  std::span<const ShownColumn> shown{};
};

const Table& table_of(Kind kind);

// Whether `field` of this kind refers to the same kind (a connection's default destination).
bool is_self_reference(Kind kind, const Field& field);

std::string column_of(const Field& field);
std::string select_sql(Kind kind, std::string_view where);
std::string insert_sql(Kind kind);  // parameters: definition as JSON, parent, now
std::string update_sql(Kind kind);  // parameters: definition as JSON, id, now

}  // namespace pipekit::definitions
