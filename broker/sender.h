// The sender of a frame, as limits, audit and event log name it. Pure; any thread.
#pragma once

#include <string>

#include "broker/access.h"
#include "shared/channel.h"

namespace pipekit {

// For limits: something that the sender cannot choose. Its key, else its process as reported by the kernel, else the
// connection.
const std::string& who_of(const Received& received);

// For the event log: a readable form of who_of() for a sender without a named key.
std::string name_of_stranger(const std::string& who);

// For the audit: the key's name, or the local user as reported by the kernel; in brackets, what the client calls
// itself.
std::string name_of(const Client& client, const Received& from, const std::string& own_word);

// The identity that owns a worker's name, and a stored answer: "key K"; "uid N" for a local peer; "local" where the
// kernel does not report it. The process is not part of it: a worker keeps its identity when it is restarted.
std::string identity_of(const Received& received);

}  // namespace pipekit
