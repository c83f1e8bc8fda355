#include "broker/peer_limits.h"

#include <algorithm>

namespace pipekit {
namespace {

constexpr std::chrono::seconds kForgetEvery{1};  // a full table is not walked for each stranger

double seconds(MonoTime::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

PeerLimits::Peer PeerLimits::fresh(MonoTime now) const {
  return {budget_.commands_burst, budget_.bytes_burst, kStrikes, now, {}};
}

void PeerLimits::refill(Peer& peer, MonoTime now) const {
  const auto passed = seconds(now - peer.at);
  peer.commands = std::min(budget_.commands_burst, peer.commands + passed * budget_.commands_per_s);
  peer.bytes = std::min(budget_.bytes_burst, peer.bytes + passed * budget_.bytes_per_s);
  peer.strikes = std::min(kStrikes, peer.strikes + passed * kStrikesPerSecond);
  peer.at = now;
}

bool PeerLimits::is_idle(Peer peer, MonoTime now) const {
  refill(peer, now);
  return peer.shut_until <= now && peer.commands >= budget_.commands_burst && peer.bytes >= budget_.bytes_burst &&
         peer.strikes >= kStrikes;
}

void PeerLimits::forget_idle(MonoTime now) {
  if (now < forget_at_) return;
  forget_at_ = now + kForgetEvery;
  std::erase_if(peers_, [&](const auto& entry) { return is_idle(entry.second, now); });
}

PeerLimits::Peer& PeerLimits::of(const std::string& name, MonoTime now) {
  auto found = peers_.find(name);
  if (found == peers_.end()) {
    if (peers_.size() >= kMostPeers) forget_idle(now);
    const bool room = peers_.size() < kMostPeers;
    found = peers_.try_emplace(room ? name : std::string(), fresh(now)).first;
  }
  refill(found->second, now);
  return found->second;
}

bool PeerLimits::drops(const std::string& name, MonoTime now) {
  const auto found = peers_.find(name);
  if (found == peers_.end() || found->second.shut_until <= now) return false;
  ++counters_.dropped;
  return true;
}

bool PeerLimits::has_room_for_large(const std::string& name, size_t bytes, MonoTime now) {
  if (of(name, now).bytes >= 0) return true;
  ++counters_.throttled;
  strike(name, static_cast<double>(bytes) / kBytesOfStrike, now);
  return false;
}

bool PeerLimits::spend(const std::string& name, size_t bytes, MonoTime now) {
  auto& peer = of(name, now);
  if (peer.commands < 1 || peer.bytes < 0) {
    ++counters_.throttled;
    return false;
  }
  peer.commands -= 1;
  peer.bytes -= static_cast<double>(bytes);
  return true;
}

void PeerLimits::charge(const std::string& name, double commands, MonoTime now) { of(name, now).commands -= commands; }

void PeerLimits::strike(const std::string& name, double strikes, MonoTime now) {
  auto& peer = of(name, now);
  peer.strikes -= strikes;
  if (peer.strikes >= 0 || peer.shut_until > now) return;
  peer = fresh(now);  // as it will be when it is admitted again
  peer.shut_until = now + kCutOff;
  ++counters_.cut_off;
  newly_cut_.push_back(name);
}

void PeerLimits::put_off(const std::string& name, MonoTime now) {
  ++counters_.throttled;
  strike(name, 1, now);
}

Millis PeerLimits::retry_after(const std::string& name, MonoTime now) {
  const auto& peer = of(name, now);
  const auto wait = std::max((1 - peer.commands) / budget_.commands_per_s, -peer.bytes / budget_.bytes_per_s);
  return std::max(Millis{100}, std::chrono::ceil<Millis>(std::chrono::duration<double>(wait)));
}

int64_t PeerLimits::shut_out(MonoTime now) const {
  return std::ranges::count_if(peers_, [&](const auto& entry) { return entry.second.shut_until > now; });
}

}  // namespace pipekit
