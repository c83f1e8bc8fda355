#include "broker/definitions/references.h"

#include <fmt/format.h>

#include <charconv>

#include "broker/definitions/check.h"
#include "broker/definitions/rows.h"
#include "shared/nearest.h"

namespace pipekit::definitions {
namespace {

std::optional<int64_t> number_in(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string shown(const Json& ref) {
  return ref.is_string() ? fmt::format("'{}'", ref.get<std::string>()) : ref.dump();
}

}  // namespace

std::optional<int64_t> id_for(Database& db, Kind kind, const Json& ref) {
  if (ref.is_string()) {
    const auto& text = ref.get_ref<const std::string&>();
    if (const auto id = id_of(db, kind, text)) return id;
    const auto number = number_in(text);
    return number && name_of(db, kind, *number) ? number : std::nullopt;
  }
  if (!ref.is_number_integer()) return std::nullopt;
  const auto id = ref.get<int64_t>();
  return name_of(db, kind, id) ? std::optional(id) : std::nullopt;
}

SqlDialect dialect_in(Database& db, const Json& connection) {
  const auto id = id_for(db, Kind::connection, connection);
  if (!id) return SqlDialect::generic;
  return sql_dialect_of(db.value<std::string>("SELECT jdbc_url FROM connection WHERE id = ?", *id).value_or(""));
}

void References::resolve(Kind kind, Json& definition, const std::string& path, Problems& problems) {
  for_each_reference(kind, definition, path, [&](const Field& field, Json& ref, const std::string& at) {
    if (auto name = name_for(*field.refers_to, ref)) {
      ref = std::move(*name);
    } else {
      problems.push_back(unknown(*field.refers_to, ref, at));
    }
  });
}

std::optional<std::string> References::name_for(Kind kind, const Json& ref) {
  if (ref.is_string() && listed_[kind].contains(ref.get_ref<const std::string&>())) return ref.get<std::string>();
  if (prune_ && kind != Kind::driver) return std::nullopt;
  const auto id = id_for(db_, kind, ref);
  return id ? name_of(db_, kind, *id) : std::nullopt;
}

Problem References::unknown(Kind kind, const Json& ref, const std::string& path) {
  if (prune_ && id_for(db_, kind, ref)) {
    return {path, fmt::format("{} {} is not in the document, and prune would remove it", to_string(kind), shown(ref)),
            "add it to the document, or apply without prune"};
  }
  auto all = listed_[kind];
  for (auto& name : names(db_, kind)) all.insert(std::move(name));
  const std::vector<std::string> known(all.begin(), all.end());
  const auto word = ref.is_string() ? ref.get<std::string>() : std::string();
  auto hint = did_you_mean(word, known);
  if (hint.empty()) hint = fmt::format("there is no {} yet: add it first", to_string(kind));
  return {path, fmt::format("there is no {} {}", to_string(kind), shown(ref)), std::move(hint)};
}

}  // namespace pipekit::definitions
