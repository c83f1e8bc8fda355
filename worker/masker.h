// Replaces secret values in a byte stream by "****". Pure.
//
// Each secret is masked as it is and in the forms in which programs repeat it: percent-encoded, with doubled quotes
// (SQL), escaped with backslashes (C, JSON, shell), XML-escaped, and in base64 of the whole value. Occurrences that
// overlap become one "****". Not masked: secrets shorter than kMinSecret characters, because an empty or one-letter
// password would mask everything, and values cut apart by the program that prints them.
//
// A Masker is one stream: feed and finish, also across chunk borders. Take a fresh copy for each stream (copies share
// the tables). mask() is for whole strings, leaves the stream alone and may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pipekit::worker {

class Masker {
 public:
  static constexpr std::size_t kMinSecret = 4;

  explicit Masker(const std::vector<std::string>& secrets = {});

  // The bytes that may be released now. At most what could be the beginning of a secret is held back.
  std::string feed(std::string_view chunk);
  // At EOF: what was held back. Then the Masker can be used for another stream.
  std::string finish();

  [[nodiscard]] std::string mask(std::string_view text) const;

 private:
  struct Tables;
  struct Span {
    uint64_t begin;
    uint64_t end;
  };
  void scan(std::string_view chunk);
  void add_match(uint64_t begin, uint64_t end);
  std::string release(uint64_t until);

  std::shared_ptr<const Tables> tables_;  // null: nothing to mask
  uint32_t state_ = 0;
  uint64_t position_ = 0;      // bytes seen; all positions count from the beginning of the stream
  uint64_t released_ = 0;      // bytes passed on or masked
  std::string held_;           // bytes [released_, position_)
  std::vector<Span> matches_;  // disjoint, ascending, not released yet
  uint64_t masked_until_ = 0;  // end of the last "****" put out: a match that begins before it only prolongs it
};

}  // namespace pipekit::worker
