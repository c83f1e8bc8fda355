// Who sent a frame, as its limits, the audit and the event log name them. Pure; any thread.
#pragma once

#include <string>

#include "broker/access.h"
#include "shared/channel.h"

namespace pipekit {

// For limits: by what it cannot choose. Its key, or else the process as the kernel knows it, or else the connection.
const std::string& who_of(const Received& received);

// To whom an answer belongs: the key, or the local user as the kernel knows it. The same for all of its connections.
std::string owner_of(const Received& received);

// For the event log: `who` as above, of somebody without a key that has a name.
std::string name_of_stranger(const std::string& who);

// For the audit: the key's name, or the local user as the kernel knows it. What a client calls itself is in brackets.
std::string name_of(const Client& client, const Received& from, const std::string& own_word);

// The identity of a worker in the store: "key K", "uid N" for a local one, "local" where the kernel does not say. The
// process is not part of it: a restarted worker keeps its identity.
std::string identity_of(const Received& received);

}  // namespace pipekit
