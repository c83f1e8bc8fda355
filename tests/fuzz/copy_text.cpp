// Input: a value on its way between databases: as text of COPY, as bytes, and as a number.
#include "worker/jrunner/copy_text.h"

#include "tests/fuzz/input.h"
#include "worker/jrunner/number_text.h"

namespace {

using namespace pipekit;
using fuzz::require;

void field(std::string_view value) {
  std::string line;
  jrunner::append_copy_text(value, line);
  require(line != jrunner::kCopyNull && line.find_first_of("\t\n") == std::string::npos, "a value is one field");
  line = line + '\t' + line;
  jrunner::CopyLineReader reader(line);
  for (int i = 0; i < 2; ++i) {
    const auto escaped = reader.next();
    std::string read;
    if (escaped) jrunner::append_unescaped(*escaped, read);
    require(escaped && read == value, "a value reads back as it is");
  }
  require(!reader.next(), "a line has no more fields than were written");
}

void bytes(std::string_view value) {
  std::string written;
  jrunner::append_copy_bytes(value, written);
  std::string text;
  jrunner::append_unescaped(written, text);
  std::string read;
  require(jrunner::append_hex_bytes(text, read) && read == value, "bytes read back as they are");
  std::string other;
  jrunner::append_unescaped(value, other);
  jrunner::append_hex_bytes(value, other);
}

void number(std::string_view text) {
  const auto value = jrunner::exact_number(text);
  std::string written;
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    jrunner::append_integer(*integer, written);
    const auto again = jrunner::exact_number(written);
    require(std::get_if<int64_t>(&again) != nullptr && std::get<int64_t>(again) == *integer, "an integer stays");
    require(!jrunner::fits_double(*integer) || static_cast<int64_t>(static_cast<double>(*integer)) == *integer,
            "what fits a double comes back");
  }
  if (const auto* real = std::get_if<double>(&value)) {
    jrunner::append_real(*real, written);
    const auto again = jrunner::exact_number(written);
    require(std::get_if<double>(&again) != nullptr && std::get<double>(again) == *real, "a double stays");
    std::string as_text;
    jrunner::append_real_as_text(*real, as_text);
    require(as_text == written || as_text == written + ".0", "as text it is the same number");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::Input(data, size).rest();
  field(text);
  bytes(text);
  number(text);
  return 0;
}
