#include "ctl/flag_references.h"

#include <string>

#include "shared/name.h"

namespace pipekit::ctl {
namespace {

Result<void> replace_id(Context& context, Kind kind, Json& reference) {
  if (!reference.is_string() || !is_only_digits(reference.get_ref<const std::string&>())) return {};
  const auto object = context.call(std::string(to_string(kind)) + ".show", {{"name", reference}});
  if (!object) return object.error();
  reference = text_in(*object, "name");
  return {};
}

}  // namespace

Result<void> replace_ids(Context& context, Kind kind, Json& fields) {
  for (const auto& field : fields_of(kind)) {
    const auto found = fields.find(std::string(field.name));
    if (!field.refers_to || found == fields.end()) continue;
    if (auto replaced = replace_id(context, *field.refers_to, *found); !replaced) return replaced;
  }
  for (const auto& part : parts_of(kind)) {
    const auto list = fields.find(std::string(part.name));
    if (list == fields.end() || !list->is_array()) continue;
    for (auto& one : *list) {
      if (auto replaced = replace_ids(context, part.kind, one); !replaced) return replaced;
    }
  }
  return {};
}

}  // namespace pipekit::ctl
