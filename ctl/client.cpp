#include "ctl/client.h"

#include <fmt/format.h>
#include <pwd.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "ctl/interrupt.h"

namespace pipekit::ctl {
namespace {

constexpr std::chrono::seconds kSlowAnswer{120};
constexpr Millis kPause{1000};
constexpr Millis kLeastPause{50};
constexpr Millis kMostPause{5000};
constexpr std::chrono::seconds kLastWords{1};
constexpr std::string_view kIpc = "ipc://";

std::string random_id() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

std::string user_name() {
  const passwd* entry = getpwuid(getuid());  // one thread
  return entry == nullptr ? std::to_string(getuid()) : entry->pw_name;
}

// The broker says once a second that it works on a request. However short the patience, some of these may be late.
constexpr std::chrono::seconds kBeatsMissed{5};

// The broker would close the connection without an answer.
Error too_large(size_t bytes) {
  return {ErrorCode::kInvalid,
          fmt::format("this is a request of {} MiB, and the broker takes {} at once", (bytes >> 20U) + 1,
                      kMaxFrameBytes >> 20U),
          "send it in parts: several files, one after the other"};
}

// One request until its reply: what is due next, and when to give up.
class Exchange {
 public:
  Exchange(Link& link, Request request, const Patience& patience, Client::Waiting tell)
      : link_(link),
        request_(std::move(request)),
        patience_(patience),
        tell_(std::move(tell)),
        began_(link.clock().now()) {}

  Result<Reply> run() {
    for (;;) {
      const auto now = link_.clock().now();
      if (now >= give_up_at() && put_off_) return std::move(*put_off_);
      if (now >= give_up_at()) return no_answer(link_, waited(now), sent_once_);
      send_if_due(now);
      tell_if_due(now);
      const bool waits = sent_ || now < send_from_;
      const auto due = sent_ ? resend_at_ : waits ? send_from_ : give_up_at();
      const auto woke = link_.wait(!waits, std::min({give_up_at(), due, tell_ ? tell_at() : due}));
      if (woke == Link::Woke::interrupted) return Error{ErrorCode::kUnexpected, "interrupted"};
      auto reply = drain();
      if (!reply) return reply.error();
      if (*reply) return std::move(**reply);
      if (link_.replaced_after_disconnect()) sent_ = sent_here_ = false;  // asked again once somebody is connected
      if (auto refused = link_.refused()) return std::move(*refused);
    }
  }

 private:
  [[nodiscard]] MonoTime give_up_at() const {
    if (!sent_once_) return began_ + patience_.to_connect;
    const auto patience = std::max<MonoTime::duration>(patience_.to_answer, patience_.to_connect);
    if (worked_on_at_ == MonoTime{}) return began_ + patience;
    return worked_on_at_ + std::max<MonoTime::duration>(patience, kBeatsMissed);
  }
  [[nodiscard]] std::chrono::seconds waited(MonoTime now) const {
    return std::chrono::floor<std::chrono::seconds>(now - began_);
  }

  [[nodiscard]] MonoTime tell_at() const { return began_ + kTellAfter; }

  void tell_if_due(MonoTime now) {
    if (!tell_ || now < tell_at()) return;
    const auto what = sent_once_ ? "the answer of the broker" : "a broker";
    std::exchange(tell_, nullptr)(waiting_for(what, link_, give_up_at() - now));
  }

  void start_over() {
    link_.reconnect();
    sent_ = sent_here_ = false;
  }

  // The broker works on it: sending it again would not help.
  [[nodiscard]] bool is_under_way(const Reply& reply) const {
    return reply.number == 0 && reply.body.is_object() && reply.body.value("under_way", Json()) == request_.number;
  }

  void send_if_due(MonoTime now) {
    if (sent_ && now >= resend_at_) {
      const bool silent = now >= heard_at_ + Patience::kSilence * patience_.resend_after;
      spdlog::debug("no answer to {} {}: asking again{}", request_.verb, request_.number,
                    silent ? " on a new socket" : "");
      if (silent) {
        start_over();
      } else {
        sent_ = false;
      }
    }
    if (sent_ || now < send_from_) return;
    request_.age_ms = std::chrono::floor<Millis>(now - began_).count();
    if (!link_.send(request_)) return;
    if (!std::exchange(sent_here_, true)) heard_at_ = now;
    spdlog::debug("sent {} {} to {}", request_.verb, request_.number, link_.endpoint());
    sent_ = sent_once_ = true;
    resend_at_ = now + patience_.resend_after;
  }

  Result<std::optional<Reply>> drain() {
    for (;;) {
      auto message = link_.receive();
      if (!message) return message.error();
      if (!*message) return std::optional<Reply>{};
      heard_at_ = link_.clock().now();
      if (auto* reply = std::get_if<Reply>(&**message)) {
        if (is_under_way(*reply)) {
          worked_on_at_ = heard_at_;
          resend_at_ = heard_at_ + patience_.resend_after;
        } else if (reply->number != request_.number) {
          spdlog::debug("dropped the answer to request {}", reply->number);
        } else if (const auto wait = overload(*reply)) {
          sent_ = false;
          send_from_ = link_.clock().now() + *wait;
          put_off_ = std::move(*reply);
        } else {
          return std::optional<Reply>{std::move(*reply)};
        }
      } else if (std::holds_alternative<BrokerLeaving>(**message)) {
        spdlog::debug("the broker leaves; waiting for the next one");
        start_over();
      }
    }
  }

  Link& link_;
  Request request_;
  Patience patience_;
  Client::Waiting tell_;  // empty: nobody, or it has been told
  MonoTime began_;
  MonoTime resend_at_{};
  MonoTime send_from_{};
  MonoTime heard_at_{};           // anything, on this socket; or when it was first sent on
  MonoTime worked_on_at_{};       // when the broker last said that it is at it
  std::optional<Reply> put_off_;  // the last answer that said: later
  bool sent_ = false;
  bool sent_here_ = false;  // on this socket
  bool sent_once_ = false;
};

}  // namespace

std::optional<Millis> overload(const Reply& reply) {
  if (!reply.error || error_code_from(reply.error->code) != ErrorCode::kOverloaded) return std::nullopt;
  const auto told = reply.body.find("retry_after_ms");
  const bool known = told != reply.body.end() && told->is_number_integer();
  return known ? std::clamp(Millis{told->get<int64_t>()}, kLeastPause, kMostPause) : kPause;
}

Error to_error(const WireError& error) { return {error_code_from(error.code), error.message, error.hint}; }

std::string waiting_for(std::string_view what, const Link& link, MonoTime::duration left) {
  return fmt::format("waiting for {} at {}, {} s more at most", what, link.endpoint(),
                     std::chrono::ceil<std::chrono::seconds>(left).count());
}

Error no_answer(const Link& link, std::chrono::seconds waited, bool sent) {
  const auto& endpoint = link.endpoint();
  auto message = fmt::format("no answer from the broker at {} within {} s", endpoint, waited.count());
  if (sent) message += "; the request was sent, and may have been executed";
  if (link.hung_up_on()) {
    message += "; something is listening there but closed the connection during the handshake";
    return {
        ErrorCode::kUnavailable, std::move(message),
        "is it a broker, or a forwarded port without one behind it? Where keys are used: --key-file FILE --broker-key "
        "KEY, the public key of this broker (there: pipekit-ctl keys show FILE)"};
  }
  std::string hint = "is it running? systemctl status pipekit-broker, or pipekit-ctl up --data-dir DIR";
  if (endpoint.starts_with(kIpc) && endpoint.ends_with("/control.sock")) {
    const auto path = endpoint.substr(kIpc.size());
    hint = fmt::format("is it running? pipekit-ctl up --data-dir {} starts it",
                       path.substr(0, path.size() - std::string_view("/control.sock").size()));
  }
  return {ErrorCode::kUnavailable, std::move(message), std::move(hint)};
}

Client::Client(Link& link, Patience patience) : link_(link), patience_(patience), id_(random_id()) {}

Result<Reply> Client::exchange(const std::string& verb, Json args) {
  return exchange(verb, std::move(args), patience_);
}

Result<Reply> Client::exchange(const std::string& verb, Json args, const Patience& patience) {
  Request request;
  request.client = id_;
  request.number = ++number_;
  request.user = user_name();
  request.verb = verb;
  request.args = std::move(args);
  if (const auto bytes = encode(ClientToBroker{request}).body.size(); bytes > kMaxFrameBytes) return too_large(bytes);
  return Exchange(link_, std::move(request), patience, waiting_).run();
}

Result<Json> Client::call(const std::string& verb, Json args) {
  auto reply = exchange(verb, std::move(args));
  if (!reply) return reply.error();
  if (reply->error) return to_error(*reply->error);
  return std::move(reply->body);
}

Result<Reply> Client::exchange_or_drop(const std::string& verb, Json args, const Patience& patience) {
  std::optional<int> signal;
  {
    const Interrupt interrupt;
    link_.also_wait_for(interrupt.fd(), -1);
    auto reply = exchange(verb, std::move(args), patience);
    link_.also_wait_for(-1, -1);
    signal = interrupt.signal();
    if (!signal) return reply;
    [[maybe_unused]] const auto told =
        exchange("task.drop", {{"number", number_}}, {kLastWords, kLastWords, kLastWords});
  }
  ::raise(*signal);  // ends as it always does
  return Error{ErrorCode::kUnexpected, "interrupted"};
}

Result<Json> Client::call_slow(const std::string& verb, Json args) {
  auto patience = patience_;
  patience.to_answer = std::max(patience.to_answer, kSlowAnswer);
  patience.resend_after = patience.to_answer;
  auto reply = exchange_or_drop(verb, std::move(args), patience);
  if (!reply) return reply.error();
  if (reply->error) return to_error(*reply->error);
  return std::move(reply->body);
}

}  // namespace pipekit::ctl
