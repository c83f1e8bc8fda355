// What commands were answered: one that a client sends again, because the answer was lost, is answered again and not
// executed again (P1). Every command but `run` is in the table `request`; a run is known by its own row. On the
// broker's thread; remember() in the transaction of the command.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "broker/store/database.h"
#include "broker/turn.h"
#include "shared/protocol.h"

namespace pipekit {

class AnsweredRequests {
 public:
  AnsweredRequests(store::Database& db, MonoTime now, WallTime wall);

  // The answer that it had; nullopt: it is new. An answer belongs to its owner (sender.h), client, number and verb:
  // nobody else gets it. kStaleRequest: so old that its answer may have been forgotten. kInvalid: the number was
  // another command's.
  [[nodiscard]] Result<std::optional<Json>> find(const std::string& owner, const Request& request) const;
  void remember(const Turn& turn, const std::string& owner, const Request& request, const Json& body);

  // What the store keeps as a request's client.
  static std::string bound(const std::string& owner, const std::string& client) { return owner + "\n" + client; }

 private:
  [[nodiscard]] bool known_without_owner(const Request& request) const;

  struct Accepted {
    Json body;
    MonoTime at{};
  };

  store::Database& db_;
  std::map<std::pair<std::string, int64_t>, Accepted> runs_;  // of the last ten minutes
  int64_t runs_remembered_ = 0;
};

}  // namespace pipekit
