#include "broker/broker.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "broker/definitions/definitions.h"
#include "broker/documents.h"
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
// What one command may take of the loop before it is charged for it, and what a millisecond more costs: twice what a
// client regains meanwhile, so that nobody has more than half of the loop.
constexpr Millis kFree{2};
constexpr double kCostOfMillisecond = 200;
constexpr double kItemsOfCommand = 100;      // so many values in a request cost as much as a run
constexpr double kAttemptsOfHeartbeat = 10;  // so many more listed cost as much as a heartbeat
constexpr int kMostRedone = 5;               // checks of a document, while others change definitions

size_t size_of(const Received& received) { return received.frames.head.size() + received.frames.body.size(); }

constexpr char kFactType = 2;  // its place in WorkerToBroker
static_assert(std::is_same_v<std::variant_alternative_t<kFactType, WorkerToBroker>, Fact>);

enum class FrameType { request, tail, other };

FrameType type_of(const Frames& frames) {
  if (frames.head.size() != 2) return FrameType::other;
  return frames.head[1] == 0 ? FrameType::request : frames.head[1] == 1 ? FrameType::tail : FrameType::other;
}

bool is_question(const std::string& verb) { return queries::knows(verb) || verb == "why"; }

ReadJob tail_job(const std::string& peer, TailRequest request, const Turn& turn, const std::string& who) {
  ReadJob job;
  job.peer = peer;
  job.request = std::move(request);
  job.wall_ms = to_ms(turn.wall);
  job.who = who;
  return job;
}

const Error kRevoked{ErrorCode::kRefused, "the broker does not allow this key, or no longer does",
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
  for (const auto& received : input.from_clients) {
    const auto began = watch(input.now);
    on_client_frame(turn, received);
    charge(client_limits_, input.now, who_of(received), began);
  }
  for (auto& checked : input.checked) {
    const auto began = watch(input.now);
    const auto who = checked->job.who;
    on_checked(turn, std::move(checked));
    charge(client_limits_, input.now, who, began);
  }
  tell_cut_off(turn, worker_limits_, "worker");
  tell_cut_off(turn, client_limits_, "control");
  tick(turn, input);
  commit(turn);
  retention_.committed(input.now);
  answer_tails(turn);
  TurnOutput output{std::move(turn.sends), std::move(turn.reads), std::move(turn.spent), {}, {}};
  for (auto& [peer, number] : under_way_.beats_due(turn.now)) {
    output.beats.push_back({peer, Reply{0, std::nullopt, {{"under_way", number}}}});
  }
  output.wake = next_wake(input);
  return output;
}

MonoTime Broker::watch(MonoTime now) const { return config_.stopwatch ? config_.stopwatch() : now; }

void Broker::charge(PeerLimits& limits, MonoTime now, const std::string& who, MonoTime began) {
  const auto took = watch(began) - began;
  if (took <= kFree) return;
  limits.charge(who, std::chrono::duration<double, std::milli>(took - kFree).count() * kCostOfMillisecond, now);
}

std::optional<std::string> Broker::end_read(int64_t id) {
  const auto asker = under_way_.end(id);
  return asker ? std::optional(asker->peer) : std::nullopt;
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
  const auto client = access_.client(received.key);
  const auto refusal = client ? refusal_of_worker(*client) : std::optional(kRevoked);
  if (refusal) {
    ++refused_;
    return turn.to_worker(received.peer, HelloRefused{to_wire(*refusal)});
  }
  const auto* worker = workers_.by_peer(received.peer);
  // A socket speaks for one worker, and that one for one key.
  if (worker != nullptr && worker->key != received.key) return;
  const bool is_fact = received.frames.head.size() == 2 && received.frames.head[1] == kFactType;
  if ((worker == nullptr || !is_fact) && !worker_limits_.spend(who_of(received), size_of(received), turn.now)) {
    // Facts: what an honest worker had on its way when the broker was restarted. It hears HelloWanted of the first, and
    // says them again.
    if (!is_fact) worker_limits_.strike(who_of(received), 1, turn.now);
    return;
  }
  const auto began = watch(turn.now);
  const auto message = decode_worker_to_broker(received.frames.head, received.frames.body);
  if (!message) {
    ++malformed_;
    return turn.to_worker(received.peer, HelloRefused{to_wire(message.error())});
  }
  std::visit([&](const auto& m) { on(turn, received, m); }, *message);
  // Not for facts, which wait for acknowledgements: a run that prints a lot would cost its worker the heartbeats.
  if (!is_fact) charge(worker_limits_, turn.now, who_of(received), began);
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
  // Nothing is decoded for one that may not ask.
  const auto head = head_of_request(received.frames.body);
  const auto before = turn.refusals();
  if (const auto client = access_.client(received.key)) {
    read_message(turn, received, *client, head);
  } else {
    ++refused_;
    turn.refuse(received.peer, head.number, kRevoked);
  }
  // Runs come by the thousand. A tail asks again after each answer, and may make the store be read.
  const bool dear = turn.refusals() > before || head.verb != "run";
  const auto items = static_cast<double>(head.items) / kItemsOfCommand;
  client_limits_.charge(who, (dear ? PeerLimits::kDearCommand : 0) + items, turn.now);
}

void Broker::read_message(Turn& turn, const Received& received, const Client& client, const RequestHead& head) {
  const auto type = type_of(received.frames);
  const auto refusal = type == FrameType::request ? refusal_of_verb(client, head.verb)
                       : type == FrameType::tail  ? refusal_of_tail(client)
                                                  : std::nullopt;
  if (refusal) {
    const bool unreadable = type == FrameType::request && head.verb.empty();
    ++(unreadable ? malformed_ : refused_);
    return turn.refuse(received.peer, head.number, *refusal);
  }
  if (type == FrameType::request && documents::knows(head.verb)) return on_document(turn, received, client, head);
  if (type == FrameType::request && is_question(head.verb) && size_of(received) > kLarge) {
    return turn.refuse(received.peer, head.number,
                       {ErrorCode::kTooLarge, fmt::format("the arguments of {} are longer than 64 KiB", head.verb)});
  }
  auto message = decode_client_to_broker(received.frames.head, received.frames.body);
  if (!message) {
    ++malformed_;
    return turn.refuse(received.peer, head.number, message.error());
  }
  if (auto* request = std::get_if<Request>(&*message)) {
    request->user = name_of(client, received, request->user);
    return on(turn, received, *request);
  }
  on(turn, received, std::get<TailRequest>(*message));
}

void Broker::answer_throttled(Turn& turn, const Received& received) {
  if (size_of(received) > kLarge) return;
  const auto wait = client_limits_.retry_after(who_of(received), turn.now);
  turn.refuse(received.peer, head_of_request(received.frames.body).number,
              {ErrorCode::kOverloaded, "this client sends more than the broker accepts from one client",
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
    spdlog::warn("cut off for {} s: {} on the {} socket sends too much, or malformed messages",
                 PeerLimits::kCutOff.count(), name, socket);
    Event event;
    event.kind = "peer.cut_off";
    event.fields = {{"peer", name}, {"socket", socket}, {"for_s", PeerLimits::kCutOff.count()}};
    turn.emit(std::move(event));
  }
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
  worker_limits_.charge(who_of(from), static_cast<double>(heartbeat.attempts.size()) / kAttemptsOfHeartbeat, turn.now);
  workers_.heard(*worker, heartbeat, turn.now);
  turn.to_worker(from.peer, HeartbeatAck{heartbeat.number});
  runs_.on_listing(turn, *worker, heartbeat.attempts, heartbeat.last_assignment);
}

void Broker::on(Turn& turn, const Received& from, const Fact& fact) {
  auto* worker = workers_.by_peer(from.peer);
  if (worker == nullptr) return turn.to_worker(from.peer, HelloWanted{});
  if (!is_sound(fact)) {
    ++malformed_;
    turn.to_worker(from.peer, HelloRefused{{"malformed", "a fact with unknown words or too much text", ""}});
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

void Broker::on(Turn& turn, const Received& from, const Request& request) {
  const auto& peer = from.peer;
  if (!is_sound(request)) {
    ++malformed_;
    return turn.refuse(peer, request.number,
                       {ErrorCode::kMalformed, "a request needs a client, a number and a map of arguments"});
  }
  if (queries::knows(request.verb)) {
    ReadJob job;
    job.request = request;
    job.live = live_for(turn, request);
    return submit(turn, from, request, std::move(job));
  }
  if (Questions::knows(request.verb)) return questions_.ask(turn, from, request);
  if (request.verb == "task.drop") return questions_.drop(turn, from, request);
  if (const auto handler = commands::find(request.verb)) {
    if (!answered_again(turn, from, request)) execute(turn, identity_of(from), peer, request, handler);
    return;
  }
  auto known = commands::verbs();
  for (const auto& more : {queries::verbs(), documents::verbs()}) known.insert(known.end(), more.begin(), more.end());
  turn.refuse(peer, request.number,
              {ErrorCode::kInvalid, fmt::format("this broker ({}) knows no verb \"{}\"", PIPEKIT_VERSION, request.verb),
               did_you_mean(request.verb, known)});
}

// It goes to the read thread as it came.
void Broker::on_document(Turn& turn, const Received& from, const Client& client, const RequestHead& head) {
  Request request;
  request.client = head.client;
  request.number = head.number;
  request.age_ms = head.age_ms;
  request.user = name_of(client, from, head.user);
  request.verb = head.verb;
  if (!is_sound(request)) {
    ++malformed_;
    return turn.refuse(from.peer, head.number,
                       {ErrorCode::kMalformed, "a request needs a client, a number and a map of arguments"});
  }
  if (answered_again(turn, from, request)) return;
  ReadJob job;
  job.frames = from.frames;
  submit(turn, from, request, std::move(job));
}

void Broker::submit(Turn& turn, const Received& from, const Request& request, ReadJob job) {
  const RequestIdentity identity{identity_of(from), request.client, request.number, request.verb};
  if (under_way_.asked_again(identity, from.peer)) return;
  const auto& who = who_of(from);
  const auto bytes = size_of(from);
  if (!under_way_.has_room_for(who, bytes)) {
    client_limits_.put_off(who, turn.now);
    return turn.refuse(from.peer, request.number,
                       {ErrorCode::kOverloaded, "too many requests of this client wait for their answers already",
                        "wait for some of them"},
                       {{"retry_after_ms", 1000}});
  }
  job.wall_ms = to_ms(turn.wall);
  job.who = who;
  job.generation = modules_.generation();
  job.id = under_way_.begin({identity, from.peer, who, from.key, request.user, bytes, {}}, turn.now);
  turn.reads.push_back(std::move(job));
}

// What was checked holds only for the definitions that it was checked against.
void Broker::on_checked(Turn& turn, std::unique_ptr<CheckedDocument> checked) {
  auto& job = checked->job;
  const auto* asker = under_way_.find(job.id);
  if (asker == nullptr) return turn.spent.push_back(std::move(checked));  // its client is gone: nothing was promised
  if (job.generation != modules_.generation() && ++job.redone < kMostRedone) {
    job.generation = modules_.generation();
    turn.reads.push_back(std::move(job));
    return turn.spent.push_back(std::move(checked));
  }
  auto& request = checked->request;
  const auto peer = asker->peer;
  const auto owner = asker->identity.owner;
  request.user = asker->user;
  const auto client = access_.client(asker->key);
  auto refusal = client ? refusal_of_verb(*client, request.verb) : std::optional(kRevoked);
  if (!refusal && job.generation != modules_.generation()) {
    refusal = Error{ErrorCode::kUnavailable, "definitions changed several times while this document was being checked",
                    "nothing was written; try again"};
  }
  under_way_.end(job.id);
  if (refusal) {
    turn.refuse(peer, request.number, *refusal);
  } else {
    execute(turn, owner, peer, request,
            [&](commands::Context& context) { return commands::apply(context, checked->plan); });
  }
  turn.spent.push_back(std::move(checked));
}

bool Broker::answered_again(Turn& turn, const Received& from, const Request& request) {
  auto answered = answered_.find(identity_of(from), request);
  if (!answered) {
    turn.refuse(from.peer, request.number, answered.error());
  } else if (*answered) {
    turn.to_client(from.peer, Reply{request.number, std::nullopt, std::move(**answered)});
  }
  return !answered || *answered;
}

void Broker::execute(Turn& turn, const std::string& owner, const std::string& peer, const Request& request,
                     const Command& command) {
  store::Savepoint savepoint(db_);
  const auto mark = turn.mark();
  commands::Context context{turn, db_, modules_, runs_, groups_, settings_, request, owner};
  auto body = [&]() -> Result<Json> {
    try {
      return command(context);
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
  answered_.remember(turn, owner, request, *body);
  savepoint.release();
  modules_.settle();
  if (context.schedules_changed) scheduler_.reload(turn.wall);
  if (context.keys_changed) settle_keys(turn);
  if (context.workers_changed) settle_drained();
  turn.to_client(peer, Reply{request.number, std::nullopt, std::move(*body)});
}

void Broker::on(Turn& turn, const Received& from, const TailRequest& request) {
  const auto who = who_of(from);
  switch (tails_.park(from.peer, request, turn.now, from.key, who)) {
    case Tails::Parking::parked:
      return;
    case Tails::Parking::from_store:
      return turn.reads.push_back(tail_job(from.peer, request, turn, who));
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
    turn.reads.push_back(tail_job(peer, std::move(request), turn, who));
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
  wake = earlier(wake, under_way_.next_due());
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
