#include "worker/session.h"

#include <algorithm>

namespace pipekit::worker {
namespace {

constexpr Millis kHelloPatience{3000};
constexpr size_t kAnsweredKept = 8;

}  // namespace

Actions Session::begin(MonoTime now) {
  Actions actions;
  say_hello(actions, now, false);
  return actions;
}

std::vector<RunKey> Session::listing() const {
  std::vector<RunKey> keys;
  for (const auto& [key, attempt] : attempts_) keys.push_back(key);
  return keys;
}

void Session::say_hello(Actions& actions, MonoTime now, bool new_socket) {
  actions.replace_socket = actions.replace_socket || new_socket;
  state_ = State::greeting;
  hello_again_ = now + std::min<MonoTime::duration>(kHelloPatience, lease_ / 2);
  actions.send.emplace_back(Hello{identity_.name, identity_.incarnation, identity_.state_id, PIPEKIT_VERSION,
                                  identity_.host, identity_.slots, draining_, identity_.tags, highest_assignment(),
                                  listing(), spoken_versions(), identity_.drivers});
}

void Session::beat(Actions& actions, MonoTime now) {
  unanswered_[++beats_] = now;
  next_beat_ = now + interval_;
  actions.send.emplace_back(Heartbeat{beats_, draining_, highest_assignment(), listing()});
}

Actions Session::on_message(const BrokerToWorker& message, MonoTime now) {
  Actions actions;
  std::visit([&](const auto& m) { on(actions, m, now); }, message);
  return actions;
}

void Session::on(Actions& actions, const Welcome& welcome, MonoTime now) {
  lease_ = Millis{std::max<int64_t>(welcome.lease_ms, 100)};
  interval_ = Millis{std::max<int64_t>(welcome.heartbeat_ms, 10)};
  state_ = State::welcomed;
  unanswered_.clear();
  actions.resend_facts = true;
  beat(actions, now);  // only a heartbeat gives the broker a number to assign by
}

void Session::on(Actions& actions, const HelloRefused& refused, MonoTime now) {
  if (refused.error.code != "name_in_use") {
    actions.fatal = Error{error_code_from(refused.error.code), refused.error.message, refused.error.hint};
    return;
  }
  actions.not_yet = Error{ErrorCode::kUnavailable, refused.error.message, refused.error.hint};
  state_ = State::waiting;
  hello_again_ = now + interval_;
}

void Session::on(Actions& actions, const HelloWanted&, MonoTime now) {
  if (state_ == State::welcomed) say_hello(actions, now, false);  // else one is under way
}

void Session::on(Actions&, const HeartbeatAck& ack, MonoTime) {
  const auto sent = unanswered_.find(ack.number);
  if (sent == unanswered_.end()) return;
  const auto lease_end = sent->second + lease_;
  for (auto& [key, attempt] : attempts_) {
    if (attempt.listed_from <= ack.number) attempt.lease_end = std::max(attempt.lease_end, lease_end);
  }
  answered_[ack.number] = sent->second;
  if (answered_.size() > kAnsweredKept) answered_.erase(answered_.begin());
  unanswered_.erase(unanswered_.begin(), std::next(sent));
}

void Session::on(Actions& actions, const FactAck& ack, MonoTime) { actions.acknowledged.push_back(ack); }

void Session::on(Actions& actions, const Assignment& assignment, MonoTime now) {
  if (assignment.key.epoch <= last_assignment_) return;  // sent again while the first was under way
  last_assignment_ = assignment.key.epoch;
  if (draining_) return refuse(actions, assignment, "the worker is draining", now);
  const auto sent = answered_.find(assignment.heartbeat);
  if (sent == answered_.end()) return refuse(actions, assignment, "it names a heartbeat that was not answered", now);
  const auto lease_end = sent->second + lease_;
  if (lease_end - margin() <= now) return refuse(actions, assignment, "it arrived after its lease had ended", now);
  attempts_[assignment.key] = {lease_end, beats_ + 1, false};
  actions.start.push_back(assignment);
}

void Session::refuse(Actions& actions, const Assignment& assignment, const std::string& why, MonoTime) {
  // Not kept: if this is lost, the next heartbeat shows that the attempt was never begun.
  actions.send.emplace_back(Fact{assignment.key, 1, fact::Refused{{"refused", why, ""}}});
}

void Session::on(Actions& actions, const CancelAttempt& cancel, MonoTime) {
  if (attempts_.contains(cancel.key)) actions.cancel.push_back(cancel.key);
}

void Session::on(Actions& actions, const KillAttempt& kill, MonoTime) {
  const auto found = attempts_.find(kill.key);
  if (found == attempts_.end() || found->second.killed) return;
  found->second.killed = true;
  actions.kill.push_back(kill.key);
}

void Session::on(Actions& actions, const Task& task, MonoTime) { actions.tasks.push_back(task); }

void Session::on(Actions& actions, const DropTask& drop, MonoTime) { actions.drop.push_back(drop.id); }

void Session::on(Actions& actions, const BrokerLeaving&, MonoTime now) { say_hello(actions, now, true); }

Actions Session::tick(MonoTime now) {
  Actions actions;
  if (state_ == State::welcomed) {
    const bool silent = unanswered_.size() >= 2 && unanswered_.begin()->second + 2 * interval_ <= now;
    if (silent) {
      say_hello(actions, now, true);
    } else if (next_beat_ <= now) {
      beat(actions, now);
    }
  } else if (hello_again_ <= now) {
    say_hello(actions, now, true);
  }
  for (auto& [key, attempt] : attempts_) {
    if (attempt.killed || attempt.lease_end - margin() > now) continue;
    attempt.killed = true;
    actions.kill.push_back(key);
  }
  return actions;
}

MonoTime Session::next_deadline() const {
  auto next = state_ == State::welcomed ? next_beat_ : hello_again_;
  for (const auto& [key, attempt] : attempts_) {
    if (!attempt.killed) next = std::min<MonoTime>(next, attempt.lease_end - margin());
  }
  return next;
}

Actions Session::reconnected(MonoTime now) {
  Actions actions;
  if (state_ == State::welcomed) beat(actions, now);
  return actions;
}

Actions Session::drain(MonoTime now) {
  Actions actions;
  draining_ = true;
  if (state_ == State::welcomed) beat(actions, now);
  return actions;
}

bool Session::may_go_on(RunKey key, MonoTime now) const {
  const auto found = attempts_.find(key);
  return found != attempts_.end() && !found->second.killed && found->second.lease_end - margin() > now;
}

}  // namespace pipekit::worker
