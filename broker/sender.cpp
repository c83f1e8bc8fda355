#include "broker/sender.h"

#include <fmt/format.h>

namespace pipekit {
namespace {

// Of what the kernel knows of a process.
std::string uid_of(const std::string& process) { return "uid " + process.substr(0, process.find(':')); }

}  // namespace

const std::string& who_of(const Received& received) {
  if (!received.key.empty()) return received.key;
  return received.process.empty() ? received.peer : received.process;
}

std::string name_of_stranger(const std::string& who) {
  if (who.empty()) return "strangers";
  const bool process = who.front() >= '0' && who.front() <= '9';
  return process ? fmt::format("{}, pid {}", uid_of(who), who.substr(who.rfind(':') + 1)) : "a connection";
}

std::string name_of(const Client& client, const Received& from, const std::string& own_word) {
  if (!client.local()) return client.name;
  const auto proven = from.process.empty() ? "local" : uid_of(from.process);
  return own_word.empty() ? proven : fmt::format("{} ({})", proven, own_word);
}

std::string identity_of(const Received& received) {
  if (!received.key.empty()) return "key " + received.key;
  return received.process.empty() ? "local" : uid_of(received.process);
}

}  // namespace pipekit
