// Input: a JDBC URL.
#include "worker/jrunner/jdbc_url.h"

#include <algorithm>

#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

void check(const jrunner::SqliteTarget& target) {
  require(!target.path.empty() && !has_nul(target.path) && !has_nul(target.file), "a path ends where it ends");
  for (const auto& [name, value] : target.pragmas) {
    require(!value.empty() && value.find_first_of(";'\" ()=") == std::string::npos, "a pragma's value is one word");
  }
}

void check(const jrunner::PostgresTarget& target) {
  for (const auto& [name, value] : target.keywords) require(!has_nul(value), "a value ends where it ends");
  require(!has_nul(target.search_path), "a value ends where it ends");
  const auto ports = target.keyword("port");
  require(!target.keyword("host").empty() && ports.find_first_not_of("0123456789,") == std::string::npos,
          "there are a host and a port");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto url = fuzz::Input(data, size).rest();
  const auto target = jrunner::parse_jdbc_url(url);
  if (target) {
    std::visit([](const auto& one) { check(one); }, *target);
  } else {
    // The part after the question mark may be a password.
    const auto question = url.find('?');
    const auto secret = question == std::string_view::npos ? std::string_view{} : url.substr(question);
    require(secret.size() < 8 || target.error().message.find(secret) == std::string::npos, "parameters are not echoed");
  }
  return 0;
}
