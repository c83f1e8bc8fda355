#include "broker/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pipekit::documents {
namespace {

constexpr std::array<const char*, 2> kVerbs = {"apply", "diff"};

bool flag(const Json& args, const char* name) {
  const auto found = args.find(name);
  return found != args.end() && found->is_boolean() && found->get<bool>();
}

Reply refusal(int64_t number, const Error& error, Json body = nullptr) {
  return {number, to_wire(error), std::move(body)};
}

}  // namespace

bool knows(const std::string& verb) { return std::ranges::find(kVerbs, verb) != kVerbs.end(); }

std::vector<std::string> verbs() { return {kVerbs.begin(), kVerbs.end()}; }

ReadOutcome check(store::Database& db, ReadJob job, const TimeBudget& budget) {
  auto message = decode_client_to_broker(job.frames.head, job.frames.body);
  if (!message) return BrokerToClient{refusal(head_of_request(job.frames.body).number, message.error())};
  auto request = std::get<Request>(std::move(*message));
  if (!request.args.is_object()) {
    return BrokerToClient{refusal(request.number, {ErrorCode::kMalformed, "a request needs a map of arguments"})};
  }
  Json document;
  if (const auto found = request.args.find("document"); found != request.args.end()) {
    document = std::move(*found);
    request.args.erase(found);
  }
  auto plan = definitions::plan(db, document, flag(request.args, "prune"), budget);
  if (!plan.problems.empty()) {
    return BrokerToClient{refusal(request.number, definitions::to_error(plan.problems),
                                  {{"problems", definitions::to_json(plan.problems)}})};
  }
  const bool only_tell = request.verb == "diff" || flag(request.args, "dry_run");
  if (only_tell) {
    return BrokerToClient{
        Reply{request.number, std::nullopt, {{"changes", std::move(plan.changes)}, {"applied", false}}}};
  }
  return std::make_unique<CheckedDocument>(CheckedDocument{std::move(job), std::move(request), std::move(plan)});
}

}  // namespace pipekit::documents
