// stdout, and the only way to it. Text for people becomes harmless here, wherever it came from: control characters are
// shown as escapes, and the only sequences that reach a terminal are the colours that tinted() asked for. Unbuffered: a
// text is on its way when write() returns.
//
// A reader that has gone (`| head`) or a full disk does not end a verb: nothing more is written, and the verb continues
// to the outcome that its exit code reports. Verbs without an outcome look at usable().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/render.h"

namespace pipekit::ctl {

// How the environment changes what is shown (NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM). Pure.
struct Looks {
  bool colour = false;
  bool repaint = false;  // the terminal can erase a line
};
Looks looks_of(bool terminal, const std::function<std::optional<std::string>(const std::string&)>& environment);

// `marked` as a terminal gets it: escapes in place of control characters, and colours, or none. Pure.
std::string shown(std::string_view marked, bool colour);

class Output {
 public:
  explicit Output(int fd = 1);

  // For people.
  void write(std::string_view text);
  // For programs: JSON, YAML, CSV, lines of text. Control characters are escapes here too; tabs stay.
  void write_data(std::string_view text);
  // Bytes as they are, where somebody asked for that.
  void write_raw(std::string_view bytes);
  // Text in place of the line that the cursor is in.
  void rewrite_line(std::string_view text);

  [[nodiscard]] Style style(WallTime now) const;
  // A terminal on which a line can be shown and replaced.
  [[nodiscard]] bool is_live() const { return terminal_ && looks_.repaint; }
  // False once a write has failed.
  [[nodiscard]] bool usable() const { return !failed_; }
  // Why a write failed, unless its reader had gone, which is no error.
  [[nodiscard]] std::optional<int> error() const { return error_; }
  // Becomes ready with an error when the reader has gone; -1 where that cannot happen, or has.
  [[nodiscard]] int watched_fd() const { return pipe_ && !failed_ ? fd_ : -1; }
  // The reader has gone; no write has shown it yet.
  void close() { failed_ = true; }

 private:
  int fd_;
  bool terminal_;
  bool pipe_;
  Looks looks_;
  bool failed_ = false;
  std::optional<int> error_;
};

}  // namespace pipekit::ctl
