#include "broker/read_answer.h"

#include "broker/documents.h"
#include "broker/queries.h"

namespace pipekit {
namespace {

// One state of the store for all statements of a job, and their time limit.
class Reading {
 public:
  Reading(store::Database& db, const TimeBudget& budget) : db_(db) {
    db_.run("BEGIN");
    db_.limit(&budget);
  }
  ~Reading() {
    db_.limit(nullptr);
    db_.run("ROLLBACK");
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  store::Database& db_;
};

Error too_long() {
  return {ErrorCode::kTooLarge,
          "the broker did not finish this in " + std::to_string(kReadBudget.count()) +
              " s of processor time, more than it spends on one request",
          "ask for less: a filter, a smaller --limit; split a definition file into several"};
}

int64_t number_of(const ReadJob& job) {
  if (!job.frames.body.empty()) return head_of_request(job.frames.body).number;
  return std::visit([](const auto& request) { return request.number; }, job.request);
}

}  // namespace

ReadOutcome answer_read(store::Database& db, ReadJob job, const TimeBudget& budget) {
  const auto number = number_of(job);
  try {
    const Reading reading(db, budget);
    if (!job.frames.body.empty()) return documents::check(db, std::move(job), budget);
    return queries::answer(db, job);
  } catch (const OverBudget&) {
    return BrokerToClient{Reply{number, to_wire(too_long()), nullptr}};
  }
}

}  // namespace pipekit
