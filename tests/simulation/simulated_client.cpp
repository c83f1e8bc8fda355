#include "tests/simulation/simulated_client.h"

namespace pipekit::simulation {
namespace {

constexpr Millis kResendAfter{2000};
constexpr Millis kSilence{7000};

}  // namespace

Command::Command(World& world, Network& network, Request request, const std::string& key, Millis patience, Done done)
    : world_(world),
      request_(std::move(request)),
      done_(std::move(done)),
      wire_(
          world, network, Side::clients, [this](const Frames& frames) { receive(frames); }, false),
      began_(world.now()) {
  wire_.bear(key);
  wire_.on_connected([this] { send(); });
  wire_.open();
  world_.after(patience, [this, self = std::weak_ptr(self_)] {
    if (!self.expired()) end(nullptr);
  });
}

void Command::send() {
  if (over_) return;
  request_.age_ms = std::chrono::floor<Millis>(world_.now() - began_).count();
  if (!wire_.send(encode(ClientToBroker{request_}))) return;
  world_.after(kResendAfter, [this, self = std::weak_ptr(self_), sending = ++sendings_] {
    if (!self.expired()) resend_if_due(sending);
  });
}

void Command::resend_if_due(int64_t sending) {
  if (over_ || sending != sendings_) return;
  world_.count("requests resent");
  wire_.replace();
}

void Command::receive(const Frames& frames) {
  const auto message = decode_broker_to_client(frames.head, frames.body);
  if (!message) return world_.broken("a client cannot read what the broker sent: " + message.error().message);
  const auto* reply = std::get_if<Reply>(&*message);
  if (reply != nullptr && reply->number == request_.number) end(reply);
}

void Command::end(const Reply* reply) {
  if (over_) return;
  over_ = true;
  done_(reply);
}

Tail::Tail(World& world, Network& network, Promises& promises, std::string name)
    : world_(world),
      promises_(promises),
      name_(std::move(name)),
      wire_(
          world, network, Side::clients, [this](const Frames& frames) { receive(frames); }, false) {
  wire_.on_connected([this] { ask(); });
  wire_.open();
}

void Tail::ask() {
  TailRequest request;
  request.number = ++number_;
  request.after = after_;
  wire_.send(encode(ClientToBroker{request}));
  world_.after(kSilence, [this, self = std::weak_ptr(self_), number = number_] {
    if (!self.expired() && number == number_) wire_.replace();
  });
}

void Tail::receive(const Frames& frames) {
  const auto message = decode_broker_to_client(frames.head, frames.body);
  if (!message) return world_.broken("a tail cannot read what the broker sent: " + message.error().message);
  const auto* reply = std::get_if<TailReply>(&*message);
  if (reply == nullptr || reply->number != number_) return;
  promises_.shown(name_, after_, *reply);
  after_ = std::max(after_, reply->next);
  ask();
}

}  // namespace pipekit::simulation
