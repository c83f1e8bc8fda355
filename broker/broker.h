// The broker without its sockets: frames and times in, frames out. One call of turn() is one transaction. The loop
// (loop.h) and the simulation drive it; it never waits and never looks at a clock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/access.h"
#include "broker/answered_requests.h"
#include "broker/commands.h"
#include "broker/group_flow.h"
#include "broker/metrics.h"
#include "broker/modules.h"
#include "broker/peer_limits.h"
#include "broker/questions.h"
#include "broker/read_mark.h"
#include "broker/requests_under_way.h"
#include "broker/retention.h"
#include "broker/run_flow.h"
#include "broker/scheduler.h"
#include "broker/settings.h"
#include "broker/tails.h"
#include "broker/tasks.h"
#include "broker/turn.h"
#include "broker/workers.h"
#include "shared/channel.h"

namespace pipekit {

struct BrokerConfig {
  Millis lease{60'000};
  std::string control_endpoint;
  std::string worker_endpoint;
  std::optional<KeyPair> keys{};  // given: tcp endpoints are encrypted, and ask who is there
  // Beside encrypted ones: for workers on this host, and for who allows the first key. "": none.
  std::string local_control{};
  std::string local_workers{};
  // How long what has arrived may be unread by the threads below this one, while this process is awake: read_mark.h.
  MonoTime::duration read_lag{};
  // The time now, for budgets of work within a turn; none: work is bounded by its amount alone.
  std::function<MonoTime()> stopwatch{};
  // Groups that may use the local sockets beside the broker's own user. "": none.
  std::string control_group{};
  std::string worker_group{};
};

struct TurnInput {
  MonoTime now{};
  WallTime wall{};
  // When the reading of the worker socket began, if it was read until nothing was left. Leases are judged by this
  // moment: a heartbeat that had arrived by then has been seen.
  std::optional<MonoTime> drained_since;
  MonoTime::duration stall{};  // how long this process may have been paused since the last turn
  std::vector<Received> from_workers;
  std::vector<Received> from_clients;
  std::vector<std::unique_ptr<CheckedDocument>> checked;  // by the read thread; left here, spent
};

struct TurnOutput {
  std::vector<Outgoing> sends;
  std::vector<ReadJob> reads;
  std::vector<std::unique_ptr<CheckedDocument>> spent;  // to be freed, on the read thread: it takes long
  std::vector<ToClient> beats;                          // to clients that wait; peer_gone() if one cannot be sent
  std::optional<MonoTime> wake;                         // when the next turn is due if nothing arrives
};

class Broker {
 public:
  // Recovers what is live in the store. The store is migrated already.
  Broker(store::Database& db, const BrokerConfig& config, MonoTime now, WallTime wall);

  // Begins a turn's transaction. False: another process holds the store's lock, and nothing has changed. Throws as
  // turn() does.
  bool begin();
  // In the transaction that begin() has begun, or one of its own. Throws StoreError when it cannot be made durable:
  // nothing of it may be sent, and the process has to end.
  TurnOutput turn(TurnInput input);

  // For the handshake of an encrypted socket.
  [[nodiscard]] bool admits(const std::string& public_key) const { return access_.admits(public_key); }
  // For `status`: the loop's connections.
  void show_connections(std::function<Json()> connections) { connections_ = std::move(connections); }
  void add_refused(int64_t handshakes) { refused_ += handshakes; }
  // The read thread is done with a request: whom to answer. nullopt: nobody waits for it any more.
  std::optional<std::string> end_read(int64_t id);
  // What was being done for it need not go on: jobs of the read thread.
  std::vector<int64_t> peer_gone(const std::string& peer) { return under_way_.peer_gone(peer); }
  // The read thread had no room for what it asked.
  void add_overload(const std::string& who, MonoTime now) { client_limits_.put_off(who, now); }

  // Before a frame is copied: false for one that a peer is not to be heard with, whatever it says.
  bool wants_worker_frame(const Received& from, MonoTime now);
  bool wants_client_frame(const Received& from, size_t bytes, MonoTime now);

  // The last messages to every peer that waits for this broker.
  [[nodiscard]] std::vector<Outgoing> farewell() const;

  void add_turn_time(std::chrono::nanoseconds duration) { turn_time_.add(duration); }

 private:
  void on_worker_frame(Turn& turn, const Received& received);
  void on_client_frame(Turn& turn, const Received& received);
  void read_worker_frame(Turn& turn, const Received& received);
  void read_client_frame(Turn& turn, const Received& received);
  void answer_throttled(Turn& turn, const Received& received);
  void read_message(Turn& turn, const Received& received, const Client& client, const RequestHead& head);
  // What took long on the loop is charged for.
  void charge(PeerLimits& limits, MonoTime now, const std::string& who, MonoTime began);
  // The stopwatch's time, or the turn's where there is none and nothing is measured.
  [[nodiscard]] MonoTime watch(MonoTime now) const;
  void tell_cut_off(Turn& turn, PeerLimits& limits, const char* socket);

  void refuse_hello(Turn& turn, const Received& from, const Error& why);
  void on(Turn& turn, const Received& from, const Hello& hello);
  void on(Turn& turn, const Received& from, const Heartbeat& heartbeat);
  void on(Turn& turn, const Received& from, const Fact& fact);
  void on(Turn& turn, const Received& from, const TaskResult& result);
  void on(Turn& turn, const Received& from, const Goodbye&);
  void on(Turn& turn, const Received& from, const Request& request);
  void on_document(Turn& turn, const Received& from, const Client& client, const RequestHead& head);
  void on_checked(Turn& turn, std::unique_ptr<CheckedDocument> checked);
  // Gives it to the read thread; it is asked again, or there is no room.
  void submit(Turn& turn, const Received& from, const Request& request, ReadJob job);
  void on(Turn& turn, const Received& from, const TailRequest& request);

  // After a key was allowed or revoked: who lost its own is cut off, whatever it is doing.
  void settle_keys(Turn& turn);
  void settle_drained();
  void tell_drained(Turn& turn);

  // Whether it was: what has been answered before, and what is too old to know.
  bool answered_again(Turn& turn, const Received& from, const Request& request);
  using Command = std::function<Result<Json>(commands::Context&)>;
  void execute(Turn& turn, const std::string& owner, const std::string& peer, const Request& request,
               const Command& command);

  void drop_worker(Turn& turn, const std::string& name, const char* state, const char* event);
  void tick(Turn& turn, const TurnInput& input);
  void commit(Turn& turn);
  void answer_tails(Turn& turn);
  [[nodiscard]] std::optional<MonoTime> next_wake(const TurnInput& input) const;
  [[nodiscard]] Json live_for(const Turn& turn, const Request& request) const;
  [[nodiscard]] std::string store_id() const;
  [[nodiscard]] Json live(const Turn& turn) const;

  store::Database& db_;
  bool begun_ = false;
  ReadMark read_mark_;
  BrokerConfig config_;
  Settings settings_;
  Modules modules_;
  Workers workers_;
  Tasks tasks_;
  RunFlow runs_;
  Questions questions_;
  GroupFlow groups_;
  Scheduler scheduler_;
  Retention retention_;
  Tails tails_;
  Access access_;
  AnsweredRequests answered_;
  std::function<Json()> connections_;
  RequestsUnderWay under_way_;
  Durations turn_time_;
  Durations commit_time_;
  PeerLimits client_limits_{kClientBudget};
  PeerLimits worker_limits_{kWorkerBudget};
  MonoTime cut_off_told_{};
  int64_t malformed_ = 0;
  int64_t refused_ = 0;  // handshakes and frames of keys that are not allowed, or not that
  WallTime started_at_;
  MonoTime started_;
};

}  // namespace pipekit
