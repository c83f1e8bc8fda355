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

std::string url_template_in(Database& db, const Json& driver) {
  const auto id = id_for(db, Kind::driver, driver);
  if (!id) return {};
  return db.value<std::string>("SELECT url_template FROM driver WHERE id = ?", *id).value_or("");
}

void References::check(Kind kind, const Json& definition, const std::string& path, Problems& problems) {
  for_each_reference(kind, definition, path, [&](const Field& field, const Json& ref, const std::string& at) {
    if (enough(problems)) return;
    const auto& name = ref.get_ref<const std::string&>();
    if (!exists(*field.refers_to, name)) problems.push_back(unknown(*field.refers_to, name, at));
  });
}

bool References::exists(Kind kind, const std::string& name) {
  if (listed_[kind].contains(name)) return true;
  if (prune_ && kind != Kind::driver) return false;
  return id_of(db_, kind, name).has_value();
}

Problem References::unknown(Kind kind, const std::string& name, const std::string& path) {
  if (prune_ && id_of(db_, kind, name)) {
    return {path, fmt::format("{} '{}' is not in the document, and prune would remove it", to_string(kind), name),
            "add it to the document, or apply without prune"};
  }
  auto problem = Problem{path, fmt::format("there is no {} '{}'", to_string(kind), name), {}};
  if (const auto number = number_in(name)) {
    if (const auto other = name_of(db_, kind, *number)) {
      problem.hint = fmt::format("definitions refer to objects by name; the {} with the id {} is '{}'", to_string(kind),
                                 *number, *other);
      return problem;
    }
  }
  problem.hint = did_you_mean(name, known(kind));
  if (problem.hint.empty()) problem.hint = fmt::format("there is no {} yet: add it first", to_string(kind));
  return problem;
}

const std::vector<std::string>& References::known(Kind kind) {
  const auto [found, fresh] = known_.try_emplace(kind);
  if (fresh) {
    auto all = listed_[kind];
    for (auto& name : names(db_, kind)) all.insert(std::move(name));
    found->second.assign(all.begin(), all.end());
  }
  return found->second;
}

}  // namespace pipekit::definitions
