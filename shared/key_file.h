// Pairs of CURVE keys, and the files that hold them. Keys are text everywhere: Z85, 40 characters. Whoever reads a key
// file is its owner, so one that others can read is not used.
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

// 40 characters that Z85 knows.
bool is_key(std::string_view text);

// kRefused when others may read it; kUsage when it is not there or holds something else.
Result<KeyPair> read_key_file(const std::filesystem::path& file);
// Mode 0600; never over a file that exists.
Result<void> write_key_file(const std::filesystem::path& file, const KeyPair& pair);

}  // namespace pipekit
