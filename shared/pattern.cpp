#include "shared/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "shared/plural.h"

namespace pipekit {
namespace {

constexpr int64_t kMaxMemory = int64_t{1} << 20U;

Error unusable(const std::string& why) {
  return {ErrorCode::kInvalid, why, "write a regular expression with one group around the number: ([0-9,]+) rows"};
}

// Of valid UTF-8; other text is refused by the compiler.
size_t characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

Pattern::Pattern(std::unique_ptr<re2::RE2> expression) : expression_(std::move(expression)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::compile(const std::string& text) {
  if (const auto length = characters(text); length > kMaxCharacters || text.size() > 4 * kMaxCharacters) {
    return unusable(fmt::format("the pattern has {}, at most {} are allowed",
                                count_of(static_cast<int64_t>(length), "character"), kMaxCharacters));
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxMemory);
  auto expression = std::make_unique<re2::RE2>(text, options);
  if (!expression->ok()) {
    return unusable(fmt::format("the pattern \"{}\" cannot be used: {}", text, expression->error()));
  }
  if (const int groups = expression->NumberOfCapturingGroups(); groups != 1) {
    return unusable(fmt::format("the pattern \"{}\" cannot be used: it has {}", text, count_of(groups, "group")));
  }
  return Pattern(std::move(expression));
}

std::optional<std::string_view> Pattern::group_in(std::string_view text) const {
  re2::StringPiece parts[2];
  if (!expression_->Match(text, 0, text.size(), re2::RE2::UNANCHORED, parts, 2) || parts[1].data() == nullptr) {
    return std::nullopt;
  }
  return std::string_view(parts[1].data(), parts[1].size());
}

}  // namespace pipekit
