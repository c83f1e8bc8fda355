// Requests that a worker answers from a database: connection.test, module.preview, module.take_over. A question goes to
// a suitable worker, occupies a session of each connection that it uses, and ends with its answer, its worker, its
// client or its time limit. Open questions are kept in memory only (tasks.h). The loop's thread.
#pragma once

#include <string>

#include "broker/run_flow.h"
#include "broker/store/database.h"
#include "broker/tasks.h"
#include "broker/turn.h"
#include "broker/workers.h"
#include "shared/channel.h"

namespace pipekit {

class Questions {
 public:
  Questions(store::Database& db, Tasks& tasks, Workers& workers, const RunFlow& runs)
      : db_(db), tasks_(tasks), workers_(workers), runs_(runs) {}

  static bool knows(const std::string& verb);
  void ask(Turn& turn, const Received& from, const Request& request);
  void answered(Turn& turn, const Worker& worker, const TaskResult& result);
  // task.drop: the client no longer waits for the answer to its request `number`.
  void drop(Turn& turn, const Received& from, const Request& request);
  void worker_gone(Turn& turn, const std::string& worker, const std::string& what);
  void expire(Turn& turn);

 private:
  Result<Task> task_for(Turn& turn, const Request& request);
  Result<Task> take_over(Turn& turn, const Request& request, Task task);
  // The worker to ask. Refused when no worker is suitable, no session is left, or all suitable workers have as many
  // open questions as slots (kOverloaded).
  Result<const Worker*> place(const Turn& turn, const Needs& needs) const;
  static void refuse(Turn& turn, const std::string& peer, const Request& request, const Error& error);

  store::Database& db_;
  Tasks& tasks_;
  Workers& workers_;
  const RunFlow& runs_;
};

}  // namespace pipekit
