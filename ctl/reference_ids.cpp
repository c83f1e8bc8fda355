#include "ctl/reference_ids.h"

namespace pipekit::ctl {
namespace {

Result<void> replace_id(Context& context, Kind kind, Json& reference) {
  if (!reference.is_string() || !parse_integer(reference.get_ref<const std::string&>())) return {};
  const auto object = context.call(std::string(to_string(kind)) + ".show", {{"name", reference}});
  if (!object && object.error().code == ErrorCode::kNotFound) return {};
  if (!object) return object.error();
  if (auto name = text_in(*object, "name"); !name.empty()) reference = std::move(name);
  return {};
}

}  // namespace

Result<void> replace_ids(Context& context, Kind kind, Json& fields) {
  for (const auto& field : fields_of(kind)) {
    const auto given = fields.find(std::string(field.name));
    if (field.type != FieldType::reference || given == fields.end()) continue;
    if (auto replaced = replace_id(context, *field.refers_to, *given); !replaced) return replaced;
  }
  for (const auto& part : parts_of(kind)) {
    const auto given = fields.find(std::string(part.name));
    if (given == fields.end() || !given->is_array()) continue;
    for (auto& one : *given) {
      if (auto replaced = replace_ids(context, part.kind, one); !replaced) return replaced;
    }
  }
  return {};
}

}  // namespace pipekit::ctl
