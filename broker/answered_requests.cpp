#include "broker/answered_requests.h"

#include <fmt/format.h>

#include "broker/retention.h"
#include "broker/store/runs.h"
#include "shared/planted_fault.h"

namespace pipekit {
namespace {

constexpr Millis kRunMemory{600'000};
constexpr Millis kRequestMemory{Retention::kRequests};
constexpr int64_t kPurgeEvery = 1000;

}  // namespace

AnsweredRequests::AnsweredRequests(store::Database& db, MonoTime now, WallTime wall) : db_(db) {
  for (const auto& run : store::runs::accepted_since(db, wall - kRunMemory)) {
    runs_[{run.client, run.request_no}] = {{{"run_id", run.run.value}, {"seq", run.queued_seq}}, now};
  }
}

Result<std::optional<Json>> AnsweredRequests::find(const std::string& owner, const Request& request) const {
  if (PLANTED("requests_not_recognised")) return std::optional<Json>{};
  const bool is_run = request.verb == "run";
  const auto client = bound(owner, request.client);
  if (is_run) {
    const auto known = runs_.find({client, request.number});
    if (known != runs_.end()) return std::optional(known->second.body);
  } else {
    auto rows =
        db_.query("SELECT verb, reply FROM request WHERE client = ? AND request_no = ?", client, request.number);
    if (rows.next()) {
      const auto verb = rows.get<std::string>(0);
      if (verb == request.verb) return std::optional(Json::parse(rows.get<std::string>(1)));
      return Error{
          ErrorCode::kInvalid,
          fmt::format("request {} of this client was \"{}\" before, not \"{}\"", request.number, verb, request.verb),
          "a client numbers its requests from 1, each once"};
    }
  }
  const Millis memory{is_run ? kRunMemory : kRequestMemory};
  if (Millis{request.age_ms} < memory && !known_without_owner(request)) return std::optional<Json>{};
  return Error{ErrorCode::kStaleRequest,
               fmt::format("{} was sent again after {} s, too late to know whether it was executed", request.verb,
                           request.age_ms / 1000),
               "look first (runs list, status), then send it as a new command"};
}

// Executed by a broker that did not keep whose it was.
bool AnsweredRequests::known_without_owner(const Request& request) const {
  if (request.client.find('\n') != std::string::npos) return false;
  if (request.verb == "run") return runs_.contains({request.client, request.number});
  return db_.value<int64_t>("SELECT 1 FROM request WHERE client = ? AND request_no = ?", request.client, request.number)
      .has_value();
}

void AnsweredRequests::remember(const Turn& turn, const std::string& owner, const Request& request, const Json& body) {
  const auto client = bound(owner, request.client);
  if (request.verb == "run") {
    runs_[{client, request.number}] = {body, turn.now};
    if (++runs_remembered_ % kPurgeEvery == 0) {
      std::erase_if(runs_, [&](const auto& entry) { return entry.second.at + kRunMemory < turn.now; });
    }
    return;
  }
  db_.run("INSERT INTO request (client, request_no, at, verb, reply) VALUES (?, ?, ?, ?, ?)", client, request.number,
          to_ms(turn.wall), request.verb, store::Blob{body.dump()});
}

}  // namespace pipekit
