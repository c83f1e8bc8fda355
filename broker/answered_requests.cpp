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

Result<std::optional<Json>> AnsweredRequests::find(const Request& request) const {
  if (PLANTED("requests_not_recognised")) return std::optional<Json>{};
  const bool is_run = request.verb == "run";
  if (is_run) {
    const auto known = runs_.find({request.client, request.number});
    if (known != runs_.end()) return std::optional(known->second.body);
  } else if (const auto reply = db_.value<std::string>("SELECT reply FROM request WHERE client = ? AND request_no = ?",
                                                       request.client, request.number)) {
    return std::optional(Json::parse(*reply));
  }
  if (Millis{request.age_ms} < (is_run ? kRunMemory : kRequestMemory)) return std::optional<Json>{};
  return Error{ErrorCode::kStaleRequest,
               fmt::format("{} was sent again after {} s, too late to know whether it was executed", request.verb,
                           request.age_ms / 1000),
               "look first (runs list, status), then send it as a new command"};
}

void AnsweredRequests::remember(const Turn& turn, const Request& request, const Json& body) {
  if (request.verb == "run") {
    runs_[{request.client, request.number}] = {body, turn.now};
    if (++runs_remembered_ % kPurgeEvery == 0) {
      std::erase_if(runs_, [&](const auto& entry) { return entry.second.at + kRunMemory < turn.now; });
    }
    return;
  }
  db_.run("INSERT INTO request (client, request_no, at, reply) VALUES (?, ?, ?, ?)", request.client, request.number,
          to_ms(turn.wall), store::Blob{body.dump()});
}

}  // namespace pipekit
