// A simulated database server: real SQL on a real engine, in simulated time. A session takes a script and executes it
// statement by statement, as a server does: it continues after its client has gone, waits for locks, may begin long
// after its client has died, and the answer to a commit may be lost.
#pragma once

#include <sqlite3.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "shared/protocol.h"
#include "tests/simulation/world.h"

namespace pipekit::simulation {

class Session;

// Called for each commit, while the session still has its view of the data.
class CommitWatch {
 public:
  virtual ~CommitWatch() = default;
  virtual void committed(Session& session, const std::set<std::string>& tables) = 0;
};

class Destination {
 public:
  Destination(World& world, std::string name, CommitWatch& watch);
  ~Destination();
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  // `attempt`: the owner; zero for a task. The session lives until it has ended, whoever holds it.
  std::shared_ptr<Session> begin(RunKey attempt, std::string script);
  // Called for each session that begins.
  void on_begin(std::function<void(RunKey, bool merges)> callback) { on_begin_ = std::move(callback); }
  // Every session ends with an error; open transactions are rolled back.
  void restart();
  void run(const std::string& sql);  // immediately, without a session
  std::vector<std::vector<std::string>> rows(const std::string& sql) const;

  struct Moods {
    int64_t slow = 0;     // in a thousand: a statement takes many seconds
    int64_t late = 0;     // a session begins many seconds after it was sent
    int64_t breaks = 0;   // a statement fails, and the session with it
    int64_t lost = 0;     // the answer of a session that worked is lost
    int64_t runs_on = 0;  // it continues after its client has died
    int64_t holds = 0;    // a table cannot be dropped, because somebody reads it
    int64_t pace = 1;     // not a chance: how many times longer everything takes
  };
  Moods moods;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] size_t sessions() const { return live_.size(); }

 private:
  friend class Session;
  World& world_;
  std::string name_;
  std::string uri_;
  CommitWatch& watch_;
  sqlite3* keeper_ = nullptr;  // the database exists as long as it is open
  std::function<void(RunKey, bool)> on_begin_;
  int64_t begun_ = 0;
  std::map<int64_t, std::shared_ptr<Session>> live_;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Destination& server, int64_t id, RunKey attempt, std::string script);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The client, which gets the answer. It may die before that.
  void on_answer(std::function<void()> callback) { on_answer_ = std::move(callback); }
  void client_dies();

  [[nodiscard]] bool answered() const { return answered_; }
  [[nodiscard]] const std::string& error() const { return error_; }  // empty: it worked
  [[nodiscard]] const std::string& csv() const { return csv_; }      // of the last statement with rows

  [[nodiscard]] RunKey attempt() const { return attempt_; }
  [[nodiscard]] bool merges() const { return script_.find("INSERT INTO pipekit_staging__merged") != std::string::npos; }
  [[nodiscard]] const std::string& server() const { return server_.name(); }
  std::vector<std::vector<std::string>> rows(const std::string& sql) const;

 private:
  friend class Destination;
  void go_on_in(MonoTime::duration delay);
  void go_on();
  // SQLite's code; on success past the statement.
  int execute();
  void collect(sqlite3_stmt* statement, bool first);
  void tell_watch();
  void end(const std::string& error);

  Destination& server_;
  int64_t id_;
  RunKey attempt_;
  std::string script_;
  size_t at_ = 0;
  sqlite3* db_ = nullptr;
  bool ended_ = false;
  bool client_alive_ = true;
  bool answered_ = false;
  std::string error_;
  std::string csv_;
  std::set<std::string> touched_;
  std::function<void()> on_answer_;
};

}  // namespace pipekit::simulation
