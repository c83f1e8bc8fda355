// Who may do what (P8). A local socket (ipc) gives every right to whoever can open it; an encrypted one gives a peer
// what its key's role says. Checked for each frame, so a key that is revoked is powerless at once, on an open
// connection too. In memory, from the table client_key; the broker's thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/store/database.h"
#include "shared/clock.h"
#include "shared/error.h"
#include "shared/protocol.h"

namespace pipekit {

enum class Role { viewer, op, worker };  // "operator" is a word of C++

std::optional<Role> role_from(const std::string& word);
const char* to_string(Role role);

// What a worker's key may claim in its hello; nullopt: anything.
struct Claims {
  std::optional<std::vector<std::string>> names{};  // "plant2-*": each that begins so
  std::optional<std::vector<std::string>> tags{};
  std::optional<int64_t> slots{};
};

struct Client {
  std::string name;  // of the key; empty: local
  std::optional<Role> role;
  Claims claims{};

  [[nodiscard]] bool local() const { return !role; }
};

class Access {
 public:
  explicit Access(store::Database& db) : db_(db) { reload(); }
  // After a change of the table was released.
  void reload();

  // For the handshake: whether the key is allowed.
  [[nodiscard]] bool admits(const std::string& public_key) const { return clients_.contains(public_key); }
  // `key`: Received::key. nullopt: a key that is not allowed, or is no longer.
  [[nodiscard]] std::optional<Client> client(const std::string& key) const;

 private:
  store::Database& db_;
  std::map<std::string, Client> clients_;  // by public key
};

// Why the client may not do it; nullopt: it may.
std::optional<Error> refusal_of_verb(const Client& client, const std::string& verb);
std::optional<Error> refusal_of_tail(const Client& client);
std::optional<Error> refusal_of_worker(const Client& client);
std::optional<Error> refusal_of_claims(const Client& client, const Hello& hello);

// Whether a viewer may use the verb: it only reads. All other verbs need an operator.
bool is_for_viewers(const std::string& verb);

Result<Json> allow_key(store::Database& db, const Json& args, const std::string& by, WallTime now);
// Answers what was revoked, with its public_key.
Result<Json> revoke_key(store::Database& db, const std::string& name);
Json list_keys(store::Database& db);

}  // namespace pipekit
