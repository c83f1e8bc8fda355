#include "broker/sound.h"

#include <algorithm>

namespace pipekit {
namespace {

constexpr size_t kMostAttempts = 10'000;  // of one worker
constexpr size_t kMostLines = 65'536;     // of one fact
constexpr size_t kMostLabels = 100;       // tags of a worker, and drivers
constexpr size_t kLongestName = 200;      // of a client, a user, a worker; bytes

bool one_of(const std::string& word, std::initializer_list<const char*> words) {
  return std::ranges::any_of(words, [&](const char* w) { return word == w; });
}

// What is kept and shown of a worker: short, and nothing that a terminal would obey.
bool is_label(const std::string& text) {
  return text.size() <= kLongestName &&
         std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

bool are_labels(const std::vector<std::string>& texts) {
  return texts.size() <= kMostLabels && std::ranges::all_of(texts, is_label);
}

}  // namespace

bool is_sound(const Hello& hello) {
  return !hello.name.empty() && is_label(hello.name) && !hello.incarnation.empty() && is_label(hello.incarnation) &&
         is_label(hello.state_id) && is_label(hello.version) && is_label(hello.host) && are_labels(hello.tags) &&
         are_labels(hello.drivers) && hello.slots >= 1 && hello.slots <= static_cast<int64_t>(kMostAttempts) &&
         hello.attempts.size() <= kMostAttempts;
}

bool is_sound(const Heartbeat& heartbeat) { return heartbeat.attempts.size() <= kMostAttempts; }

bool is_sound(const Fact& fact) {
  if (const auto* log = std::get_if<fact::Log>(&fact.body)) return log->lines.size() <= kMostLines;
  const auto* finished = std::get_if<fact::Finished>(&fact.body);
  return finished == nullptr || (finished->steps.size() <= kMostSteps &&
                                 one_of(finished->status, {"success", "error", "cancelled", "dry_run"}) &&
                                 one_of(finished->outcome, {"none", "merged", "not_merged", "unknown"}));
}

bool is_sound(const Request& request) {
  return !request.client.empty() && request.client.size() <= kLongestName && request.user.size() <= kLongestName &&
         request.verb.size() <= kLongestName && request.number >= 1 && request.args.is_object();
}

}  // namespace pipekit
