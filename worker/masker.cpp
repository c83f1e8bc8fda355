#include "worker/masker.h"

#include <algorithm>
#include <array>
#include <utility>

#include "worker/secret_forms.h"

namespace pipekit::worker {
namespace {

constexpr std::string_view kMask = "****";
constexpr std::size_t kSlice = std::size_t{64} * 1024;  // bounds what is held while a large chunk is scanned

std::vector<std::string> all_forms(const std::vector<std::string>& secrets) {
  std::vector<std::string> forms;
  for (const auto& secret : secrets) {
    if (secret.size() < Masker::kMinSecret) continue;
    for (auto& form : secret_forms(secret)) forms.push_back(std::move(form));
  }
  return forms;
}

}  // namespace

// An Aho-Corasick automaton with all transitions filled in. A state is the longest beginning of any pattern that the
// bytes seen end with; bytes that are in no pattern share column 0, which leads to the root.
struct Masker::Tables {
  std::array<uint16_t, 256> column{};
  std::size_t columns = 1;
  std::vector<uint32_t> next;     // state * columns + column
  std::vector<uint32_t> depth;    // length of that beginning
  std::vector<uint32_t> longest;  // length of the longest pattern that ends here, 0: none
  std::vector<uint32_t> pending;  // length of the longest beginning here that more bytes could complete
  std::array<bool, 256> leaves_root{};

  explicit Tables(const std::vector<std::string>& patterns) {
    assign_columns(patterns);
    add_state(0);
    for (const auto& pattern : patterns) add(pattern);
    fill();
    for (std::size_t byte = 0; byte < 256; ++byte) leaves_root[byte] = next[column[byte]] != 0;
  }

  [[nodiscard]] uint32_t step(uint32_t state, char c) const {
    return next[state * columns + column[static_cast<unsigned char>(c)]];
  }

 private:
  void assign_columns(const std::vector<std::string>& patterns) {
    for (const auto& pattern : patterns) {
      for (const char c : pattern) {
        auto& of_byte = column[static_cast<unsigned char>(c)];
        if (of_byte == 0) of_byte = static_cast<uint16_t>(columns++);
      }
    }
  }

  void add_state(uint32_t at_depth) {
    next.resize(next.size() + columns, 0);
    depth.push_back(at_depth);
    longest.push_back(0);
  }

  void add(const std::string& pattern) {
    uint32_t state = 0;
    for (const char c : pattern) {
      const auto cell = state * columns + column[static_cast<unsigned char>(c)];
      if (next[cell] == 0) {
        const auto added = static_cast<uint32_t>(depth.size());
        add_state(depth[state] + 1);
        next[cell] = added;
      }
      state = next[cell];
    }
    longest[state] = depth[state];
  }

  // Breadth first, so that the state fallen back to, being shorter, is complete already.
  void fill() {
    std::vector<uint32_t> fallback(depth.size(), 0);
    std::vector<uint32_t> queue{0};
    pending.resize(depth.size(), 0);
    for (std::size_t i = 0; i < queue.size(); ++i) {
      const auto state = queue[i];
      const auto reached = queue.size();
      for (std::size_t c = 1; c < columns; ++c) {
        auto& target = next[state * columns + c];
        const auto shorter = state == 0 ? 0 : next[fallback[state] * columns + c];
        if (target == 0) {
          target = shorter;
          continue;
        }
        fallback[target] = shorter;
        longest[target] = std::max(longest[target], longest[shorter]);
        queue.push_back(target);
      }
      pending[state] = queue.size() > reached ? depth[state] : pending[fallback[state]];
    }
  }
};

Masker::Masker(const std::vector<std::string>& secrets) {
  const auto forms = all_forms(secrets);
  if (!forms.empty()) tables_ = std::make_shared<const Tables>(forms);
}

std::string Masker::feed(std::string_view chunk) {
  if (!tables_) return std::string(chunk);
  std::string result;
  while (!chunk.empty()) {
    const auto slice = chunk.substr(0, kSlice);
    chunk.remove_prefix(slice.size());
    held_ += slice;
    scan(slice);
    // A later match begins no earlier than the beginning that the state represents.
    result += release(position_ - tables_->pending[state_]);
  }
  return result;
}

std::string Masker::finish() {
  auto result = release(position_);
  state_ = 0;
  position_ = released_ = masked_until_ = 0;
  return result;
}

std::string Masker::mask(std::string_view text) const {
  Masker fresh;
  fresh.tables_ = tables_;
  auto result = fresh.feed(text);
  return result += fresh.finish();
}

void Masker::scan(std::string_view chunk) {
  const auto& tables = *tables_;
  auto state = state_;
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    if (state == 0 && !tables.leaves_root[static_cast<unsigned char>(chunk[i])]) continue;
    state = tables.step(state, chunk[i]);
    const auto end = position_ + i + 1;
    if (const auto length = tables.longest[state]; length > 0) add_match(end - length, end);
  }
  state_ = state;
  position_ += chunk.size();
}

// Matches arrive by their ends, so one that overlaps earlier ones swallows them from the back.
void Masker::add_match(uint64_t begin, uint64_t end) {
  while (!matches_.empty() && matches_.back().end > begin) {
    begin = std::min(begin, matches_.back().begin);
    matches_.pop_back();
  }
  if (begin < masked_until_) {
    masked_until_ = end;
  } else {
    matches_.push_back({begin, end});
  }
}

std::string Masker::release(uint64_t until) {
  std::string result;
  auto match = matches_.begin();
  for (auto at = released_; at < until;) {
    if (at < masked_until_) {
      at = std::min(masked_until_, until);
      continue;
    }
    const auto stop = match == matches_.end() ? until : std::min(match->begin, until);
    result.append(held_, at - released_, stop - at);
    at = stop;
    if (stop == until) break;
    result += kMask;
    masked_until_ = match++->end;
  }
  matches_.erase(matches_.begin(), match);
  held_.erase(0, until - released_);
  released_ = until;
  return result;
}

}  // namespace pipekit::worker
