// Which versions of the protocol this program speaks, and which one two programs speak with each other.
//
// A message's version is the one that brought its type: its head says what a reader must know to read it. Types are
// only added, so the two ends need not agree to read, only before they send: a worker says in its hello what it speaks,
// the broker answers which of it they use, and what is newer than that is not sent to it. Hello, HelloRefused, Request
// and Reply stay at version 1, so that any two programs can report to each other why they do not match.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pipekit {

struct ProtocolVersions {
  int64_t oldest = 1;
  int64_t newest = 1;
  bool operator==(const ProtocolVersions&) const = default;
};

// In a separate file: tests/older links programs with an older one.
ProtocolVersions spoken_versions();

// The newest that both speak; nullopt: none.
std::optional<int64_t> common_version(const ProtocolVersions& one, const ProtocolVersions& other);

// "version 1", "versions 1 to 2"
std::string to_string(const ProtocolVersions& versions);

}  // namespace pipekit
