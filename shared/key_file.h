// Pairs of CURVE keys, and the files that contain them. Keys are text everywhere: Z85, 40 characters. A key file that
// other users can read or replace is not used.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "shared/error.h"

namespace pipekit {

struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

KeyPair new_key_pair();

// 40 characters of Z85.
bool is_key(std::string_view text);

// kRefused for a wrong owner or mode; kUsage when it does not exist or contains something else.
Result<KeyPair> read_key_file(const std::filesystem::path& file);
// With mode 0600; an existing file is never overwritten.
Result<void> write_key_file(const std::filesystem::path& file, const KeyPair& pair);

}  // namespace pipekit
