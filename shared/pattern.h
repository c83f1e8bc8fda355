// A regular expression with one group, as operators write it (RE2's syntax). Matching takes time linear in the text,
// compiling is bounded, whatever the expression. Pure; any thread may use a compiled one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shared/error.h"

namespace re2 {
class RE2;
}

namespace pipekit {

class Pattern {
 public:
  static constexpr size_t kMaxCharacters = 200;

  // kInvalid for one that is too long, does not compile, or has other than one group.
  static Result<Pattern> compile(const std::string& text);
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  // The text of the group in the first match; nothing where nothing matches, or the group takes no part in the match.
  [[nodiscard]] std::optional<std::string_view> group_in(std::string_view text) const;

 private:
  explicit Pattern(std::unique_ptr<re2::RE2> expression);

  std::unique_ptr<re2::RE2> expression_;
};

}  // namespace pipekit
