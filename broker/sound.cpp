#include "broker/sound.h"

#include <algorithm>

#include "shared/name.h"

namespace pipekit {
namespace {

constexpr size_t kMostLogBytes = size_t{2} << 20U;  // of one fact; a worker sends some 64 KiB

bool one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::ranges::any_of(words, [&](const char* w) { return word == w; });
}

// What is kept and shown of a worker: nothing that a terminal would obey, or that people cannot see.
bool is_label(const std::string& text) { return !forbidden_in_name(text); }

bool are_labels(const std::vector<std::string>& texts) { return std::ranges::all_of(texts, is_label); }

}  // namespace

bool is_sound(const Hello& hello) {
  return !hello.name.empty() && is_label(hello.name) && !hello.incarnation.empty() && is_label(hello.incarnation) &&
         is_label(hello.state_id) && is_label(hello.version) && is_label(hello.host) && are_labels(hello.tags) &&
         are_labels(hello.drivers) && hello.slots >= 1 && hello.slots <= static_cast<int64_t>(kMostListed);
}

bool is_sound(const Fact& fact) {
  if (const auto* log = std::get_if<fact::Log>(&fact.body)) {
    size_t bytes = 0;
    for (const auto& line : log->lines) bytes += line.text.size();
    return bytes <= kMostLogBytes;
  }
  const auto* finished = std::get_if<fact::Finished>(&fact.body);
  return finished == nullptr || (one_of(finished->status, {"success", "error", "cancelled", "dry_run"}) &&
                                 one_of(finished->outcome, {"none", "merged", "not_merged", "unknown"}));
}

bool is_sound(const Request& request) {
  return !request.client.empty() && request.number >= 1 && request.args.is_object();
}

}  // namespace pipekit
