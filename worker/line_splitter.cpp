#include "worker/line_splitter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/utf8.h"

namespace pipekit::worker {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

constexpr int kEscape = 0x1B;
constexpr int kBell = 0x07;
constexpr int kInvalid = -1;
constexpr int kOther = 0x100;  // any character that is neither ASCII nor a C1 control

constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t byte = 0x20; byte < 0x7F; ++byte) plain[byte] = true;
  plain['\t'] = true;
  return plain;
}();

bool is_plain(char c) { return kPlain[static_cast<unsigned char>(c)]; }
bool is_control(int code) { return (code >= 0 && code < 0x20 && code != '\t') || (code >= 0x7F && code <= 0x9F); }

// DCS, SOS, OSC, PM and APC as C1 controls; after ESC they are these less 0x40.
bool begins_text(int c1) { return c1 == 0x90 || c1 == 0x98 || c1 == 0x9D || c1 == 0x9E || c1 == 0x9F; }
constexpr int kControlSequence = 0x9B;
constexpr int kStringTerminator = 0x9C;

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

std::optional<std::string> LineSplitter::take_state() {
  if (!has_state()) return std::nullopt;
  changed_ = false;
  return line_.substr(0, valid_utf8_prefix(std::string_view(line_).substr(0, kMaxState)));
}

void LineSplitter::take(std::string_view bytes) {
  if (!bytes.empty()) in_line_ = true;
  while (!bytes.empty()) {
    if (missing_ > 0 || escape_ != Escape::none || !is_plain(bytes.front())) {
      take_byte(static_cast<unsigned char>(bytes.front()));
      bytes.remove_prefix(1);
      continue;
    }
    const auto plain = static_cast<std::size_t>(std::ranges::find_if_not(bytes, is_plain) - bytes.begin());
    append_plain(bytes.substr(0, plain));
    bytes.remove_prefix(plain);
  }
}

// Decodes as the WHATWG encoding standard does: one replacement for each longest piece that could have become a
// character.
void LineSplitter::take_byte(unsigned char byte) {
  if (missing_ > 0) {
    if (byte >= lower_ && byte <= upper_) return continue_sequence(byte);
    flush_partial();
  }
  if (byte == '\r') {
    return_to_begin();
  } else if (byte < 0x80) {
    const char character = static_cast<char>(byte);
    put({&character, 1}, byte, 1);
  } else {
    begin_sequence(byte);
  }
}

// The bounds of the second byte exclude overlong forms, surrogates and what is above U+10FFFF.
void LineSplitter::begin_sequence(unsigned char lead) {
  lower_ = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  upper_ = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  missing_ = lead >= 0xC2 && lead <= 0xDF ? 1 : lead >= 0xE0 && lead <= 0xEF ? 2 : lead >= 0xF0 && lead <= 0xF4 ? 3 : 0;
  if (missing_ == 0) return put(kReplacement, kInvalid, 1);
  sequence_.assign(1, static_cast<char>(lead));
}

void LineSplitter::continue_sequence(unsigned char byte) {
  sequence_.push_back(static_cast<char>(byte));
  lower_ = 0x80;
  upper_ = 0xBF;
  if (--missing_ > 0) return;
  const bool c1 = sequence_.size() == 2 && sequence_[0] == '\xC2' && byte < 0xA0;
  const auto character = std::move(sequence_);
  sequence_.clear();
  put(character, c1 ? byte : kOther, character.size());
}

void LineSplitter::flush_partial() {
  if (missing_ == 0) return;
  missing_ = 0;
  const auto raw_bytes = sequence_.size();
  sequence_.clear();
  put(kReplacement, kInvalid, raw_bytes);
}

// ECMA-48, as far as it says where a sequence ends.
void LineSplitter::put(std::string_view character, int code, std::size_t raw_bytes) {
  const auto in = [code](int first, int last) { return code >= first && code <= last; };
  switch (escape_) {
    case Escape::none:
      return put_plainly(character, code, raw_bytes);
    case Escape::begun:
      if (code == '[') escape_ = Escape::control;
      if (begins_text(code + 0x40)) escape_ = Escape::text;
      if (in(0x20, 0x2F)) escape_ = Escape::intermediate;
      if (escape_ != Escape::begun) return hold(character, raw_bytes);
      if (in(0x30, 0x7E)) return static_cast<void>(escape_ = Escape::none);
      break;
    case Escape::intermediate:
      if (in(0x20, 0x2F)) return hold(character, raw_bytes);
      if (in(0x30, 0x7E)) return static_cast<void>(escape_ = Escape::none);
      break;
    case Escape::control:
      if (in(0x20, 0x3F)) return hold(character, raw_bytes);
      if (in(0x40, 0x7E)) return static_cast<void>(escape_ = Escape::none);
      break;
    case Escape::text:
      if (code == kBell || code == kStringTerminator) return static_cast<void>(escape_ = Escape::none);
      if (code == kEscape) return static_cast<void>(escape_ = Escape::text_escape);
      if (!is_control(code)) return hold(character, raw_bytes);
      break;
    case Escape::text_escape:
      if (code == '\\') return static_cast<void>(escape_ = Escape::none);
      give_up_escape();  // its ESC begins another sequence
      return put(character, code, raw_bytes);
  }
  give_up_escape();
  put_plainly(character, code, raw_bytes);
}

void LineSplitter::put_plainly(std::string_view character, int code, std::size_t raw_bytes) {
  if (code == kEscape) return begin_escape(Escape::begun, raw_bytes);
  if (code == kControlSequence) return begin_escape(Escape::control, raw_bytes);
  if (begins_text(code)) return begin_escape(Escape::text, raw_bytes);
  append(is_control(code) ? kReplacement : character, raw_bytes);
}

void LineSplitter::begin_escape(Escape kind, std::size_t raw_bytes) {
  escape_ = kind;
  introducer_ = raw_bytes;
  held_.clear();
  held_cut_ = 0;
}

void LineSplitter::hold(std::string_view character, std::size_t raw_bytes) {
  if (held_cut_ == 0 && held_.size() + character.size() <= max_line_) {
    held_ += character;
  } else {
    held_cut_ += raw_bytes;
  }
}

// It was no sequence: what was held is text. An ESC after it may begin another.
void LineSplitter::give_up_escape() {
  const auto unfinished = escape_;
  if (unfinished == Escape::none) return;
  escape_ = Escape::none;
  append(kReplacement, introducer_);
  for (std::string_view text = held_; !text.empty();) {
    std::size_t size = 1;
    while (size < text.size() && (text[size] & 0xC0) == 0x80) ++size;
    append(text.substr(0, size), size);
    text.remove_prefix(size);
  }
  cut_ += held_cut_;
  held_.clear();
  held_cut_ = 0;
  if (unfinished == Escape::text_escape) begin_escape(Escape::begun, 1);
}

void LineSplitter::return_to_begin() {
  while (escape_ != Escape::none) give_up_escape();
  returned_ = true;
  rewritten_ = true;
}

// Once something did not fit nothing is added, or the line would have holes that the count cannot show.
void LineSplitter::append(std::string_view character, std::size_t raw_bytes) {
  if (returned_) {
    line_.clear();
    cut_ = 0;
    returned_ = false;
  }
  changed_ = true;
  if (cut_ == 0 && line_.size() + character.size() <= max_line_) {
    line_ += character;
  } else {
    cut_ += raw_bytes;
  }
}

void LineSplitter::append_plain(std::string_view text) {
  append(text.substr(0, 1), 1);
  text.remove_prefix(1);
  const auto fits = cut_ == 0 ? std::min(text.size(), max_line_ - line_.size()) : 0;
  line_ += text.substr(0, fits);
  cut_ += text.size() - fits;
}

void LineSplitter::end_line(const Sink& sink) {
  flush_partial();
  while (escape_ != Escape::none) give_up_escape();
  if (cut_ > 0) line_ += fmt::format("… [{} bytes cut]", cut_);
  auto line = std::move(line_);
  line_.clear();
  cut_ = 0;
  returned_ = false;
  rewritten_ = false;
  changed_ = false;
  in_line_ = false;
  sink(std::move(line));
}

}  // namespace pipekit::worker
