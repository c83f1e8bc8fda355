#include "ctl/width.h"

#include <locale.h>
#include <wchar.h>

#include <cstdint>
#include <stdexcept>

#include "shared/terminal_text.h"

namespace pipekit::ctl {
namespace {

constexpr std::string_view kEllipsis = "…";
constexpr uint32_t kJoiner = 0x200D;

// wcwidth() asks the thread's locale; C.UTF-8 is part of Debian's C library, whatever languages are installed.
class Unicode {
 public:
  Unicode() : locale_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ == nullptr)
      throw std::runtime_error("the locale C.UTF-8 is missing; it comes with the package libc-bin");
  }
  [[nodiscard]] int width(uint32_t point) const {
    const auto before = uselocale(locale_);
    const int columns = wcwidth(static_cast<wchar_t>(point));
    uselocale(before);
    return columns;
  }

 private:
  locale_t locale_;
};

// What the library does not know yet: characters newer than it, of which terminals draw emoji and ideographs wide.
size_t width_of_unknown(uint32_t point) {
  const bool wide = (point >= 0x1F300 && point <= 0x1FAFF) || (point >= 0x20000 && point <= 0x3FFFD);
  return wide ? 2 : 1;
}

size_t columns(const CodePoint& character) {
  static const Unicode kUnicode;
  if (!character.valid) return 1;
  const int width = kUnicode.width(character.value);
  return width < 0 ? width_of_unknown(character.value) : static_cast<size_t>(width);
}

// A character with the marks that combine with it, and what a joiner joins to it, which a terminal shows as one.
struct Cluster {
  size_t bytes = 0;
  size_t columns = 0;
};

Cluster cluster_at(std::string_view text) {
  auto character = front_of(text);
  Cluster cluster{character.bytes, columns(character)};
  bool joined = character.valid && character.value == kJoiner;
  while (cluster.bytes < text.size()) {
    character = front_of(text.substr(cluster.bytes));
    if (!character.valid) break;
    const bool joiner = character.value == kJoiner;
    if (!joined && !joiner && columns(character) > 0) break;
    cluster.bytes += character.bytes;
    joined = joiner;
  }
  return cluster;
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const auto cluster = cluster_at(text);
    width += cluster.columns;
    text.remove_prefix(cluster.bytes);
  }
  return width;
}

std::string cut(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::string kept;
  size_t used = 0;
  while (!text.empty()) {
    const auto cluster = cluster_at(text);
    used += cluster.columns;
    if (used > width - 1) break;
    kept.append(text.substr(0, cluster.bytes));
    text.remove_prefix(cluster.bytes);
  }
  return kept.append(kEllipsis);
}

std::string printable(std::string_view text) { return terminal_line(text); }

std::string printable_lines(std::string_view text) {
  std::string out;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    out += printable(text.substr(0, end)) + "\n  ";
    text.remove_prefix(end + 1);
  }
  return out + printable(text);
}

}  // namespace pipekit::ctl
