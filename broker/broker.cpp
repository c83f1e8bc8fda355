#include "broker/broker.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "broker/definitions/definitions.h"
#include "broker/queries.h"
#include "broker/sender.h"
#include "broker/sound.h"
#include "broker/store/worker_names.h"
#include "broker/store/workers.h"
#include "shared/codec.h"
#include "shared/failpoint.h"
#include "shared/nearest.h"
#include "shared/planted_fault.h"

namespace pipekit {
namespace {

constexpr size_t kLarge = 64UL * 1024;  // a frame

size_t size_of(const Received& received) { return received.frames.head.size() + received.frames.body.size(); }

// Runs come by the thousand. A tail asks again after each answer, and may make the store be read.
bool is_dear(const ClientToBroker& message) {
  const auto* request = std::get_if<Request>(&message);
  return request == nullptr || request->verb != "run";
}

const Error kRevoked{ErrorCode::kRefused, "the broker does not allow this key, or does no longer",
                     "an operator allows one: pipekit-ctl keys allow NAME --role ROLE --public-key KEY"};

std::optional<MonoTime> earlier(std::optional<MonoTime> a, std::optional<MonoTime> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

}  // namespace

Broker::Broker(store::Database& db, const BrokerConfig& config, MonoTime now, WallTime wall)
    : db_(db),
      read_mark_(PLANTED("stalls_not_noticed") ? MonoTime::duration{} : config.read_lag),
      config_(config),
      settings_(load_settings(db)),
      modules_(db),
      workers_(config.lease),
      tasks_(to_ms(wall)),
      runs_(db, modules_, workers_, tasks_, settings_),
      questions_(db, tasks_, workers_, runs_),
      groups_(db, modules_, runs_),
      scheduler_(db, groups_),
      retention_(db, settings_, config.stopwatch, now, wall),
      tails_(store::events::last_seq(db)),
      access_(db),
      answered_(db, now, wall),
      started_at_(wall),
      started_(now) {
  runs_.on_final([this](Turn& turn, RunId run, GroupRunId group_run, const store::runs::End& end) {
    groups_.member_ended(turn, run, group_run, end);
  });
  groups_.on_ended([this](int64_t group) { scheduler_.group_ended(group); });
  for (auto& worker : store::workers::load_connected(db)) workers_.expect(std::move(worker), now);
  runs_.recover(now, wall);
}

bool Broker::begin() {
  if (!begun_) begun_ = db_.try_begin();
  return begun_;
}

TurnOutput Broker::turn(TurnInput input) {
  Turn turn(input.now, input.wall, tails_.last());
  if (!begin()) throw store::Locked(db_.file());
  if (input.stall > MonoTime::duration{} && !PLANTED("stalls_not_noticed")) {
    read_mark_.stalled();
    workers_.forgive(input.stall, input.now);
    runs_.forgive(input.stall, input.now);
    tasks_.forgive(input.stall);
  }
  if (PLANTED("lease_judged_before_reading")) runs_.expire(turn, input.now);
  // Workers first: what they say frees slots and renews leases.
  for (const auto& received : input.from_workers) on_worker_frame(turn, received);
  for (const auto& received : input.from_clients) on_client_frame(turn, received);
  tell_cut_off(turn, worker_limits_, "worker");
  tell_cut_off(turn, client_limits_, "control");
  tick(turn, input);
  commit(turn);
  retention_.committed(input.now);
  answer_tails(turn);
  return {std::move(turn.sends), std::move(turn.reads), next_wake(input)};
}

bool Broker::wants_worker_frame(const Received& from, MonoTime now) { return !worker_limits_.drops(who_of(from), now); }

// What is large costs too much to be refused politely. Its sender hears nothing, and says it again.
bool Broker::wants_client_frame(const Received& from, size_t bytes, MonoTime now) {
  const auto& who = who_of(from);
  return !client_limits_.drops(who, now) && (bytes <= kLarge || client_limits_.has_room_for_large(who, bytes, now));
}

void Broker::on_worker_frame(Turn& turn, const Received& received) {
  const auto& who = who_of(received);
  if (worker_limits_.drops(who, turn.now)) return;
  const auto before = malformed_;
  read_worker_frame(turn, received);
  if (malformed_ > before) worker_limits_.strike(who, PeerLimits::kMalformed, turn.now);
}

void Broker::read_worker_frame(Turn& turn, const Received& received) {
  if (received.misshapen) {
    ++malformed_;
    return;
  }
  const auto message = decode_worker_to_broker(received.frames.head, received.frames.body);
  if (!message) {
    ++malformed_;
    return turn.to_worker(received.peer, HelloRefused{to_wire(message.error())});
  }
  const auto* worker = workers_.by_peer(received.peer);
  const bool is_fact = std::holds_alternative<Fact>(*message);
  if ((worker == nullptr || !is_fact) && !worker_limits_.spend(who_of(received), size_of(received), turn.now)) {
    // Facts: what an honest worker had on its way when the broker was restarted. It hears HelloWanted of the first, and
    // says them again.
    if (!is_fact) worker_limits_.strike(who_of(received), 1, turn.now);
    return;
  }
  const auto client = access_.client(received.key);
  const auto refusal = client ? refusal_of_worker(*client) : std::optional(kRevoked);
  if (refusal) {
    ++refused_;
    return turn.to_worker(received.peer, HelloRefused{to_wire(*refusal)});
  }
  // A socket speaks for one worker, and that one for one key.
  if (worker != nullptr && worker->key != received.key) return;
  std::visit([&](const auto& m) { on(turn, received, m); }, *message);
}

void Broker::on_client_frame(Turn& turn, const Received& received) {
  const auto& who = who_of(received);
  if (client_limits_.drops(who, turn.now)) return;
  const auto before = malformed_;
  read_client_frame(turn, received);
  if (malformed_ > before) client_limits_.strike(who, PeerLimits::kMalformed, turn.now);
}

void Broker::read_client_frame(Turn& turn, const Received& received) {
  if (received.misshapen) {
    ++malformed_;
    return;
  }
  const auto& who = who_of(received);
  if (!client_limits_.spend(who, size_of(received), turn.now)) {
    client_limits_.strike(who, 1, turn.now);
    return answer_throttled(turn, received);
  }
  const auto message = decode_client_to_broker(received.frames.head, received.frames.body);
  if (!message) {
    ++malformed_;
    return turn.refuse(received.peer, 0, message.error());
  }
  const auto before = turn.refusals();
  std::visit([&](const auto& m) { on(turn, received, m); }, *message);
  if (turn.refusals() > before || is_dear(*message)) client_limits_.charge(who, PeerLimits::kDearCommand, turn.now);
}

void Broker::answer_throttled(Turn& turn, const Received& received) {
  if (size_of(received) > kLarge) return;
  const auto message = decode_client_to_broker(received.frames.head, received.frames.body);
  if (!message) return;
  const auto wait = client_limits_.retry_after(who_of(received), turn.now);
  const auto number = std::visit([](const auto& m) { return m.number; }, *message);
  turn.refuse(received.peer, number,
              {ErrorCode::kOverloaded, "this client sends more than the broker takes from one",
               fmt::format("wait {} ms, and send it again", wait.count())},
              {{"retry_after_ms", wait.count()}});
}

// In the event log at most once a second: strangers may come without end.
void Broker::tell_cut_off(Turn& turn, PeerLimits& limits, const char* socket) {
  for (const auto& who : limits.take_cut_off()) {
    if (turn.now < cut_off_told_ + std::chrono::seconds(1)) return;
    cut_off_told_ = turn.now;
    const auto client = access_.client(who);
    const auto name = client && !client->local() ? client->name : name_of_stranger(who);
    spdlog::warn("cut off for {} s: {} on the {} socket sends too much, or what cannot be read",
                 PeerLimits::kCutOff.count(), name, socket);
    Event event;
    event.kind = "peer.cut_off";
    event.fields = {{"peer", name}, {"socket", socket}, {"for_s", PeerLimits::kCutOff.count()}};
    turn.emit(std::move(event));
  }
}

std::optional<Client> Broker::known_client(Turn& turn, const Received& from, int64_t number) {
  auto client = access_.client(from.key);
  if (client) return client;
  ++refused_;
  turn.refuse(from.peer, number, kRevoked);
  return std::nullopt;
}

void Broker::settle_keys(Turn& turn) {
  access_.reload();
  const auto allowed = [&](const std::string& key) { return access_.admits(key); };
  tails_.keep_only(allowed);
  std::vector<std::string> cut;
  for (const auto& [name, worker] : workers_.all()) {
    if (!worker.peer.empty() && !worker.key.empty() && !allowed(worker.key)) cut.push_back(name);
  }
  for (const auto& name : cut) {
    auto& worker = *workers_.by_name(name);
    turn.to_worker(worker.peer, HelloRefused{to_wire(kRevoked)});
    workers_.cut_off(worker);
  }
}

void Broker::settle_drained() {
  for (const auto& [name, known] : workers_.all()) {
    auto& worker = *workers_.by_name(name);
    worker.drained = store::workers::drained(db_, name);
    worker.told_drained = worker.told_drained && worker.drained;
  }
}

// Once for each drain, when the last attempt has ended; again after a restart of the broker.
void Broker::tell_drained(Turn& turn) {
  for (const auto& [name, known] : workers_.all()) {
    if (!known.drained || known.told_drained || runs_.busy_slots(name) > 0) continue;
    workers_.by_name(name)->told_drained = true;
    Event event;
    event.kind = "worker.drained";
    event.worker = name;
    turn.emit(std::move(event));
  }
}

void Broker::refuse_hello(Turn& turn, const Received& from, const Error& why) {
  ++refused_;
  turn.to_worker(from.peer, HelloRefused{to_wire(why)});
}

void Broker::on(Turn& turn, const Received& from, const Hello& hello) {
  if (!is_sound(hello)) {
    ++malformed_;
    turn.to_worker(from.peer, HelloRefused{{"malformed",
                                            "a hello needs a name, an incarnation and 1 to 10000 slots; names, tags and"
                                            " drivers have 200 bytes at most and no control characters",
                                            ""}});
    return;
  }
  if (!common_version(spoken_versions(), hello.protocol)) {
    ++refused_;
    turn.to_worker(from.peer,
                   HelloRefused{{"version_mismatch",
                                 fmt::format("worker {} ({}) on {} speaks protocol {}, this broker ({}) {}", hello.name,
                                             hello.version, hello.host, to_string(hello.protocol), PIPEKIT_VERSION,
                                             to_string(spoken_versions())),
                                 "upgrade the older of the two"}});
    return;
  }
  if (const auto refusal = refusal_of_claims(*access_.client(from.key), hello))
    return refuse_hello(turn, from, *refusal);
  store::Savepoint savepoint(db_);  // a worker that is refused claims nothing
  using store::worker_names::Claim;
  const auto claim = store::worker_names::claim(db_, hello.name, identity_of(from), turn.wall);
  if (claim == Claim::too_many) {
    return refuse_hello(
        turn, from,
        {ErrorCode::kRefused,
         fmt::format("this key or user has used {} worker names already", store::worker_names::kMostOfOne),
         "an operator can release some: pipekit-ctl workers release NAME"});
  }
  const auto admission =
      claim == Claim::granted ? workers_.admit(hello, from, turn.now, turn.wall) : Workers::Admission::other_key;
  if (admission == Workers::Admission::other_key) {
    return refuse_hello(
        turn, from,
        {ErrorCode::kRefused, fmt::format("the worker name {} belongs to another key or local user", hello.name),
         fmt::format("choose another --name; an operator can release it: pipekit-ctl workers release {}", hello.name)});
  }
  if (admission == Workers::Admission::name_in_use) {
    const auto* other = workers_.by_name(hello.name);
    turn.to_worker(
        from.peer,
        HelloRefused{{"name_in_use",
                      fmt::format("another worker named {} (on {}) may still be alive", hello.name, other->host),
                      "stop that one, or wait until its lease ends; or choose another --name"}});
    return;
  }
  savepoint.release();
  auto* worker = workers_.by_name(hello.name);
  store::workers::save(db_, *worker, turn.wall);
  worker->drained = store::workers::drained(db_, hello.name);
  if (admission != Workers::Admission::reattached) {
    Event event;
    event.kind = "worker.joined";
    event.worker = hello.name;
    event.fields = {{"host", hello.host}, {"slots", hello.slots}, {"tags", hello.tags}, {"version", hello.version}};
    turn.emit(std::move(event));
    runs_.worker_gone(turn, hello.name, hello.incarnation);
    questions_.worker_gone(turn, hello.name, "was restarted");
  }
  turn.to_worker(from.peer,
                 Welcome{workers_.lease().count(), workers_.lease().count() / 6, PIPEKIT_VERSION, worker->protocol});
  runs_.on_listing(turn, *worker, hello.attempts, hello.last_assignment);
}

void Broker::on(Turn& turn, const Received& from, const Heartbeat& heartbeat) {
  auto* worker = workers_.by_peer(from.peer);
  if (worker == nullptr) return turn.to_worker(from.peer, HelloWanted{});
  if (!is_sound(heartbeat)) {
    ++malformed_;
    return;
  }
  workers_.heard(*worker, heartbeat, turn.now);
  turn.to_worker(from.peer, HeartbeatAck{heartbeat.number});
  runs_.on_listing(turn, *worker, heartbeat.attempts, heartbeat.last_assignment);
}

void Broker::on(Turn& turn, const Received& from, const Fact& fact) {
  auto* worker = workers_.by_peer(from.peer);
  if (worker == nullptr) return turn.to_worker(from.peer, HelloWanted{});
  if (!is_sound(fact)) {
    ++malformed_;
    turn.to_worker(from.peer, HelloRefused{{"malformed", "a fact with words or a size that no worker has", ""}});
    return;
  }
  runs_.on_fact(turn, *worker, fact);
}

void Broker::on(Turn& turn, const Received& from, const TaskResult& result) {
  if (const auto* worker = workers_.by_peer(from.peer)) questions_.answered(turn, *worker, result);
}

void Broker::on(Turn& turn, const Received& from, const Goodbye&) {
  auto* worker = workers_.by_peer(from.peer);
  if (worker == nullptr) return;
  // It leaves with nothing running: what was on its way to it has not been begun.
  runs_.on_listing(turn, *worker, {}, Epoch{INT64_MAX});
  drop_worker(turn, worker->name, "left", "worker.left");
}

void Broker::drop_worker(Turn& turn, const std::string& name, const char* state, const char* kind) {
  const auto silence = std::chrono::floor<Millis>(turn.now - workers_.by_name(name)->heard);
  store::workers::mark(db_, name, state, turn.wall - silence);
  Event event;
  event.kind = kind;
  event.worker = name;
  turn.emit(std::move(event));
  questions_.worker_gone(turn, name, "is gone");
  workers_.remove(name);
}

void Broker::on(Turn& turn, const Received& from, Request request) {
  const auto& peer = from.peer;
  const auto client = known_client(turn, from, request.number);
  if (!client) return;
  if (!is_sound(request)) {
    ++malformed_;
    return turn.refuse(peer, request.number,
                       {ErrorCode::kMalformed, "a request needs a client, a number and a map of arguments"});
  }
  if (const auto refusal = refusal_of_verb(*client, request.verb)) {
    ++refused_;
    return turn.refuse(peer, request.number, *refusal);
  }
  request.user = name_of(*client, from, request.user);
  if (queries::knows(request.verb)) {
    turn.reads.push_back({peer, request, live_for(turn, request), to_ms(turn.wall), who_of(from)});
    return;
  }
  if (Questions::knows(request.verb)) return questions_.ask(turn, peer, request);
  if (request.verb == "task.drop") return questions_.drop(turn, peer, request);
  if (const auto handler = commands::find(request.verb)) {
    if (!answered_again(turn, peer, request)) execute(turn, peer, request, handler);
    return;
  }
  auto known = commands::verbs();
  const auto queries = queries::verbs();
  known.insert(known.end(), queries.begin(), queries.end());
  turn.refuse(peer, request.number,
              {ErrorCode::kInvalid, fmt::format("this broker ({}) knows no verb \"{}\"", PIPEKIT_VERSION, request.verb),
               did_you_mean(request.verb, known)});
}

bool Broker::answered_again(Turn& turn, const std::string& peer, const Request& request) {
  auto answered = answered_.find(request);
  if (!answered) {
    turn.refuse(peer, request.number, answered.error());
  } else if (*answered) {
    turn.to_client(peer, Reply{request.number, std::nullopt, std::move(**answered)});
  }
  return !answered || *answered;
}

void Broker::execute(Turn& turn, const std::string& peer, const Request& request, commands::Handler handler) {
  store::Savepoint savepoint(db_);
  const auto mark = turn.mark();
  commands::Context context{turn, db_, modules_, runs_, groups_, settings_, request};
  auto body = [&]() -> Result<Json> {
    try {
      return handler(context);
    } catch (const Json::exception& error) {
      return Error{ErrorCode::kInvalid, fmt::format("{}: wrong arguments: {}", request.verb, error.what())};
    }
  }();
  if (!body || context.discard) {
    turn.rollback(mark);
    modules_.rolled_back();
    if (!body) return turn.refuse(peer, request.number, body.error(), context.problems);
    turn.to_client(peer, Reply{request.number, std::nullopt, std::move(*body)});
    return;
  }
  answered_.remember(turn, request, *body);
  savepoint.release();
  modules_.settle();
  if (context.schedules_changed) scheduler_.reload(turn.wall);
  if (context.keys_changed) settle_keys(turn);
  if (context.workers_changed) settle_drained();
  turn.to_client(peer, Reply{request.number, std::nullopt, std::move(*body)});
}

void Broker::on(Turn& turn, const Received& from, const TailRequest& request) {
  const auto client = known_client(turn, from, request.number);
  if (!client) return;
  if (const auto refusal = refusal_of_tail(*client)) {
    ++refused_;
    return turn.refuse(from.peer, request.number, *refusal);
  }
  const auto who = who_of(from);
  switch (tails_.park(from.peer, request, turn.now, from.key, who)) {
    case Tails::Parking::parked:
      return;
    case Tails::Parking::from_store:
      return turn.reads.push_back({from.peer, request, {}, to_ms(turn.wall), who});
    case Tails::Parking::refused:
      client_limits_.put_off(who, turn.now);
      turn.refuse(from.peer, request.number,
                  {ErrorCode::kOverloaded, fmt::format("{} tails of this client are open already", Tails::kMostOfOne),
                   "close some of them"},
                  {{"retry_after_ms", Tails::kBeat.count()}});
  }
}

void Broker::tick(Turn& turn, const TurnInput& input) {
  if (input.drained_since) read_mark_.drained(*input.drained_since);
  const auto read_until = read_mark_.read_until().value_or(MonoTime::min());
  runs_.expire(turn, read_until);
  for (const auto& name : workers_.overdue(read_until)) drop_worker(turn, name, "lost", "worker.lost");
  questions_.expire(turn);
  scheduler_.fire(turn);
  runs_.dispatch(turn);
  tell_drained(turn);
  runs_.acknowledge(turn);
  retention_.step(turn);
}

void Broker::commit(Turn& turn) {
  for (const auto& chunk : turn.chunks) store::events::append(db_, chunk);
  FAILPOINT("broker.commit.before");
  const auto before = std::chrono::steady_clock::now();
  db_.run("COMMIT");
  begun_ = false;
  commit_time_.add(std::chrono::steady_clock::now() - before);
  FAILPOINT("broker.commit.after");
  for (auto& chunk : turn.chunks) tails_.committed(std::move(chunk));
}

void Broker::answer_tails(Turn& turn) {
  auto due = tails_.due(turn.now);
  for (auto& answer : due.answers) turn.to_client(answer.peer, std::move(answer.reply));
  for (auto& [peer, who, request] : due.from_store) {
    turn.reads.push_back({peer, std::move(request), {}, to_ms(turn.wall), who});
  }
}

std::optional<MonoTime> Broker::next_wake(const TurnInput& input) const {
  auto wake = earlier(workers_.next_deadline(), runs_.next_lease_end());
  if (wake) wake = read_mark_.look_at(*wake);
  wake = earlier(wake, runs_.next_deadline(input.now));
  // Right as long as the wall clock is not set; the loop begins a turn when it is.
  // Due already: there was more than one turn does. It is no lateness of this process.
  if (const auto due = scheduler_.next_due()) {
    wake = earlier(wake, input.now + std::max<WallTime::duration>(*due - input.wall, WallTime::duration{}));
  }
  wake = earlier(wake, retention_.next_due());
  wake = earlier(wake, tails_.next_due());
  return earlier(wake, tasks_.next_deadline());
}

std::vector<Outgoing> Broker::farewell() const {
  std::vector<Outgoing> sends;
  for (const auto& [name, worker] : workers_.all()) {
    if (!worker.peer.empty()) sends.emplace_back(ToWorker{worker.peer, BrokerLeaving{}});
  }
  for (const auto& peer : tails_.peers()) sends.emplace_back(ToClient{peer, BrokerLeaving{}});
  return sends;
}

Json Broker::live_for(const Turn& turn, const Request& request) const {
  switch (queries::needs_live(request.verb)) {
    case queries::Live::all:
      return live(turn);
    case queries::Live::run: {
      const auto id = request.args.find("id");
      const bool named = id != request.args.end() && id->is_number_integer();
      return named ? runs_.live_json(RunId{id->get<int64_t>()}, turn.now) : Json();
    }
    case queries::Live::none:
      break;
  }
  return {};
}

std::string Broker::store_id() const {
  return db_.value<std::string>("SELECT value FROM meta WHERE key = 'store_id'").value_or("");
}

Json Broker::live(const Turn& turn) const {
  auto workers = Json::array();
  for (const auto& [name, worker] : workers_.all()) {
    const auto worker_silence = std::chrono::floor<Millis>(turn.now - worker.heard);
    workers.push_back({{"name", name},
                       {"state", worker.revoked                      ? "revoked"
                                 : worker.peer.empty()               ? "expected"
                                 : workers_.silent(worker, turn.now) ? "silent"
                                                                     : "connected"},
                       {"slots", worker.slots},
                       {"busy", runs_.busy_slots(name)},
                       {"tags", worker.tags},
                       {"host", worker.host},
                       {"version", worker.version},
                       {"draining", worker.draining},
                       {"drained", worker.drained},
                       {"drivers", worker.drivers},
                       {"protocol", worker.protocol},
                       {"joined_at", to_iso(worker.joined_at)},
                       {"seen_at", worker.peer.empty() ? Json() : Json(to_iso(turn.wall - worker_silence))}});
  }
  return {{"broker",
           {{"version", PIPEKIT_VERSION},
            {"store_id", store_id()},
            {"store", db_.file().string()},
            {"pid", ::getpid()},
            {"control_endpoint", config_.control_endpoint},
            {"worker_endpoint", config_.worker_endpoint},
            {"started_at", to_iso(started_at_)},
            {"uptime_s", std::chrono::floor<std::chrono::seconds>(turn.now - started_).count()},
            {"queue_length", runs_.queue_length()},
            {"live_attempts", runs_.live_attempts()},
            {"open_tails", tails_.open()},
            {"malformed_frames", malformed_},
            {"refused", refused_},
            {"connections", connections_ ? connections_() : Json()},
            {"throttled", client_limits_.counters().throttled + worker_limits_.counters().throttled},
            {"cut_off", client_limits_.counters().cut_off + worker_limits_.counters().cut_off},
            {"cut_off_now", client_limits_.shut_out(turn.now) + worker_limits_.shut_out(turn.now)},
            {"dropped", client_limits_.counters().dropped + worker_limits_.counters().dropped},
            {"turn_us", turn_time_.json_us()},
            {"commit_us", commit_time_.json_us()},
            {"last_seq", tails_.last()}}},
          {"workers", workers},
          {"live", runs_.live_json(turn.now)}};
}

}  // namespace pipekit
