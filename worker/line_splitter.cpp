#include "worker/line_splitter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pipekit::worker {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t byte = 0x20; byte < 0x7F; ++byte) plain[byte] = true;
  plain['\t'] = true;
  return plain;
}();

bool is_plain(char c) { return kPlain[static_cast<unsigned char>(c)]; }

}  // namespace

void LineSplitter::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    take(bytes.substr(0, newline));
    if (newline == std::string_view::npos) return;
    end_line(sink);
    bytes.remove_prefix(newline + 1);
  }
}

void LineSplitter::finish(const Sink& sink) {
  if (in_line_) end_line(sink);
}

void LineSplitter::take(std::string_view bytes) {
  if (!bytes.empty()) in_line_ = true;
  while (!bytes.empty()) {
    const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(bytes, is_plain) - bytes.begin());
    if (plain == 0 || missing_ > 0 || carriage_return_) {
      take_byte(static_cast<unsigned char>(bytes.front()));
      bytes.remove_prefix(1);
    } else {
      append_plain(bytes.substr(0, plain));
      bytes.remove_prefix(plain);
    }
  }
}

// Decodes as the WHATWG encoding standard does: one replacement for each longest piece that could have become a
// character.
void LineSplitter::take_byte(unsigned char byte) {
  if (carriage_return_) {
    carriage_return_ = false;
    append(kReplacement, 1);
  }
  if (missing_ > 0) {
    if (byte >= lower_ && byte <= upper_) return continue_sequence(byte);
    flush_partial();
  }
  if (byte == '\r') {
    carriage_return_ = true;
  } else if (kPlain[byte]) {
    const char plain = static_cast<char>(byte);
    append_plain({&plain, 1});
  } else {
    begin_sequence(byte);
  }
}

// The bounds of the second byte exclude overlong forms, surrogates, what is above U+10FFFF and (0xC2) the C1 controls.
void LineSplitter::begin_sequence(unsigned char lead) {
  lower_ = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : lead == 0xC2 ? 0xA0 : 0x80;
  upper_ = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  missing_ = lead >= 0xC2 && lead <= 0xDF ? 1 : lead >= 0xE0 && lead <= 0xEF ? 2 : lead >= 0xF0 && lead <= 0xF4 ? 3 : 0;
  if (missing_ == 0) return append(kReplacement, 1);
  sequence_.assign(1, static_cast<char>(lead));
}

void LineSplitter::continue_sequence(unsigned char byte) {
  sequence_.push_back(static_cast<char>(byte));
  lower_ = 0x80;
  upper_ = 0xBF;
  if (--missing_ > 0) return;
  append(sequence_, sequence_.size());
  sequence_.clear();
}

void LineSplitter::flush_partial() {
  if (missing_ == 0) return;
  missing_ = 0;
  append(kReplacement, sequence_.size());
  sequence_.clear();
}

// Once something did not fit nothing is added, or the line would have holes that the count cannot show.
void LineSplitter::append(std::string_view character, std::size_t raw_bytes) {
  if (cut_ == 0 && line_.size() + character.size() <= max_line_) {
    line_ += character;
  } else {
    cut_ += raw_bytes;
  }
}

void LineSplitter::append_plain(std::string_view text) {
  const auto fits = cut_ == 0 ? std::min(text.size(), max_line_ - line_.size()) : 0;
  line_ += text.substr(0, fits);
  cut_ += text.size() - fits;
}

void LineSplitter::end_line(const Sink& sink) {
  flush_partial();
  if (cut_ > 0) line_ += fmt::format("… [{} bytes cut]", cut_);
  auto line = std::move(line_);
  line_.clear();
  cut_ = 0;
  carriage_return_ = false;
  in_line_ = false;
  sink(std::move(line));
}

}  // namespace pipekit::worker
