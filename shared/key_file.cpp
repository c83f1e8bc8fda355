#include "shared/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "shared/config.h"
#include "shared/ownership.h"
#include "shared/unique_fd.h"

namespace pipekit {
namespace {

constexpr size_t kKeyText = 40;

}  // namespace

KeyPair new_key_pair() {
  std::array<char, kKeyText + 1> public_key{};
  std::array<char, kKeyText + 1> secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
    throw std::runtime_error("this build of ZeroMQ has no CURVE");
  }
  return {public_key.data(), secret_key.data()};
}

bool is_key(std::string_view text) {
  if (text.size() != kKeyText) return false;
  std::array<uint8_t, 32> bytes{};
  return zmq_z85_decode(bytes.data(), std::string(text).c_str()) != nullptr;
}

Result<KeyPair> read_key_file(const std::filesystem::path& file) {
  if (auto checked = check_key_file(file); !checked) return checked.error();
  const auto values = read_config(file, {"public_key", "secret_key"});
  if (!values) return values.error();
  const auto value = [&](const char* name) {
    const auto found = values->find(name);
    return found == values->end() || found->second.empty() ? std::string() : found->second.front();
  };
  KeyPair pair{value("public_key"), value("secret_key")};
  if (is_key(pair.public_key) && is_key(pair.secret_key)) return pair;
  return Error{ErrorCode::kUsage,
               fmt::format("{} is not a key file: it needs a public_key and a secret_key of 40 "
                           "characters each",
                           file.string()),
               "pipekit-ctl keys new FILE writes one"};
}

Result<void> write_key_file(const std::filesystem::path& file, const KeyPair& pair) {
  const UniqueFd fd(::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
  if (!fd) {
    const bool there = errno == EEXIST;
    return Error{there ? ErrorCode::kExists : ErrorCode::kUsage,
                 fmt::format("cannot write {}: {}", file.string(), strerror(errno)),
                 there ? "keys are never overwritten: choose another name, or remove the file first" : ""};
  }
  // No character of Z85 is a quote.
  const auto text = fmt::format(
      "# Keep this file secret: anybody who can read it can act as its owner.\npublic_key: '{}'\nsecret_key: '{}'\n",
      pair.public_key, pair.secret_key);
  const auto written = ::write(fd.get(), text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size()) && ::fsync(fd.get()) == 0) return {};
  const auto why = std::string(strerror(errno));
  ::unlink(file.c_str());
  return Error{ErrorCode::kUsage, fmt::format("cannot write {}: {}", file.string(), why)};
}

}  // namespace pipekit
