#include "broker/questions.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/commands.h"
#include "broker/definitions/definitions.h"
#include "broker/sender.h"

namespace pipekit {
namespace {

constexpr int64_t kDropTaskSince = DropTask::kSince;

Needs needs_of(const Task& task) {
  Needs needs;
  if (task.connection) needs.add(*task.connection);
  if (task.module) {
    needs.add_protocol_of(*task.module);
    needs.add(task.module->dest);
    needs.add(task.module->source);
    for (const auto& watermark : task.module->watermarks) needs.add(watermark.connection);
  }
  return needs;
}

}  // namespace

bool Questions::knows(const std::string& verb) {
  return verb == "connection.test" || verb == "module.preview" || verb == "module.take_over";
}

Result<Task> Questions::task_for(Turn& turn, const Request& request) {
  Task task;
  const auto name = request.args.find("name");
  const auto ref = name == request.args.end() ? Json() : *name;
  if (request.verb == "connection.test") {
    auto connection = definitions::connection_snapshot(db_, ref);
    if (!connection) return connection.error();
    task.kind = "test";
    task.connection = std::move(*connection);
    return task;
  }
  const auto id = definitions::resolve(db_, Kind::module, ref);
  if (!id) return id.error();
  auto module = definitions::snapshot(db_, ModuleId{*id});
  if (!module) return module.error();
  task.module = std::move(*module);
  if (request.verb == "module.take_over") return take_over(turn, request, std::move(task));
  task.kind = "preview";
  if (const auto rows = request.args.find("max_rows"); rows != request.args.end() && rows->is_number_integer()) {
    task.max_rows = std::clamp<int64_t>(rows->get<int64_t>(), 1, 1000);
  }
  if (const auto set = request.args.find("set"); set != request.args.end() && set->is_object()) {
    for (const auto& [key, value] : set->items())
      task.set[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return task;
}

// On record before it is done: who took a table over from whom.
Result<Task> Questions::take_over(Turn& turn, const Request& request, Task task) {
  const auto from = request.args.find("from_store");
  task.kind = "take_over";
  task.store = db_.value<std::string>("SELECT value FROM meta WHERE key = 'store_id'").value_or("");
  task.from_store = from != request.args.end() && from->is_string() ? from->get<std::string>() : "";
  if (task.from_store.empty() || task.from_store == task.store) {
    return Error{ErrorCode::kInvalid,
                 fmt::format("module {}: from_store must be the id of another broker's store; this broker's is {}",
                             task.module->name, task.store),
                 "the error other_store of its run contains it"};
  }
  commands::audit(db_, turn.wall, request, task.module->name);
  return task;
}

Result<const Worker*> Questions::place(const Turn& turn, const Needs& needs) const {
  if (const auto* full = full_connection(needs, runs_.sessions())) {
    return Error{ErrorCode::kUnavailable,
                 fmt::format("connection {} is full: all of its {} sessions are in use", full->first, full->second),
                 "try again later; pipekit-ctl status shows what runs"};
  }
  const auto vacancies = runs_.vacancies(turn.now);
  const Worker* idlest = nullptr;
  int64_t fewest = 0;
  bool suited = false;
  for (const auto& vacancy : vacancies) {
    if (!suits(vacancy, needs)) continue;
    suited = true;
    const auto* worker = workers_.by_name(vacancy.worker);
    const auto open = tasks_.open_at(worker->name);
    if (open >= worker->slots || (idlest != nullptr && open >= fewest)) continue;
    idlest = worker;
    fewest = open;
  }
  if (idlest != nullptr) return idlest;
  if (suited) {
    return Error{ErrorCode::kOverloaded, "every worker that could answer this has as many open questions as slots",
                 "wait for some of them"};
  }
  auto wanted = fmt::format("{}{}", needs.tags.empty() ? "" : " with the tags ", fmt::join(needs.tags, ", "));
  const bool any =
      std::ranges::any_of(vacancies, [&](const auto& vacancy) { return has_tags(vacancy.tags, needs.tags); });
  if (any) wanted += fmt::format(" with the drivers {}", fmt::join(needs.drivers, ", "));
  for (const auto& [name, worker] : workers_.all()) {
    if (!worker.drained || worker.peer.empty() || !suits({name, 0, worker.tags, worker.drivers}, needs)) continue;
    return Error{ErrorCode::kUnavailable, fmt::format("no worker{} is available: {} is drained", wanted, name),
                 fmt::format("pipekit-ctl workers resume {}", name)};
  }
  return Error{ErrorCode::kUnavailable, fmt::format("no worker{} is available", wanted),
               "see them with: pipekit-ctl workers list"};
}

void Questions::ask(Turn& turn, const Received& from, const Request& request) {
  const RequestIdentity identity{identity_of(from), request.client, request.number, request.verb};
  if (tasks_.asked_again(identity, from.peer)) return;
  if (!tasks_.has_room_for(who_of(from))) {
    return refuse(turn, from.peer, request,
                  {ErrorCode::kOverloaded, "too many connection tests and previews of this client are open already",
                   "wait for some of them"});
  }
  auto task = task_for(turn, request);
  if (!task) return turn.refuse(from.peer, request.number, task.error());
  const auto needs = needs_of(*task);
  const auto worker = place(turn, needs);
  if (!worker) return refuse(turn, from.peer, request, worker.error());
  task->id =
      tasks_.begin({identity, from.peer, who_of(from), (*worker)->name, (*worker)->incarnation, needs.uses}, turn.now);
  turn.to_worker((*worker)->peer, std::move(*task));
}

// One that is overloaded is asked again by the client, which waits meanwhile.
void Questions::refuse(Turn& turn, const std::string& peer, const Request& request, const Error& error) {
  const bool later = error.code == ErrorCode::kOverloaded;
  turn.refuse(peer, request.number, error, later ? Json{{"retry_after_ms", 500}} : Json());
}

void Questions::answered(Turn& turn, const Worker& worker, const TaskResult& result) {
  const auto asker = tasks_.end(result.id, worker.name, worker.incarnation);
  if (!asker) return;
  Reply reply{asker->identity.number, result.error, result.body};
  if (reply.body.is_object()) reply.body["worker"] = worker.name;
  turn.to_client(asker->peer, std::move(reply));
}

void Questions::drop(Turn& turn, const Received& from, const Request& request) {
  const auto& peer = from.peer;
  const auto number = request.args.find("number");
  if (number == request.args.end() || !number->is_number_integer()) {
    return turn.refuse(peer, request.number, {ErrorCode::kInvalid, "task.drop needs the number of a request"});
  }
  const auto dropped = tasks_.drop(identity_of(from), request.client, number->get<int64_t>());
  if (dropped) {
    // One that is older than this message ends the question by its own time limit.
    const auto* worker = workers_.by_name(dropped->worker);
    if (worker != nullptr && !worker->peer.empty() && worker->protocol >= kDropTaskSince) {
      turn.to_worker(worker->peer, DropTask{dropped->id});
    }
  }
  turn.to_client(peer, Reply{request.number, std::nullopt, {{"dropped", dropped.has_value()}}});
}

void Questions::worker_gone(Turn& turn, const std::string& worker, const std::string& what) {
  for (const auto& asker : tasks_.worker_gone(worker)) {
    turn.refuse(asker.peer, asker.identity.number,
                {ErrorCode::kUnavailable, fmt::format("worker {} {}", worker, what), "try again"});
  }
}

void Questions::expire(Turn& turn) {
  for (const auto& asker : tasks_.overdue(turn.now)) {
    turn.refuse(asker.peer, asker.identity.number,
                {ErrorCode::kUnavailable, fmt::format("worker {} did not answer in time", asker.worker), "try again"});
  }
}

}  // namespace pipekit
