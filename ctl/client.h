// Requests and their replies. A command that was not answered is sent again with the same (client, number), so the
// broker executes it once, and what answers an older number is dropped. It is sent on the same socket as long as that
// is connected and not silent: a new one makes the broker drop what it has for the old one. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/link.h"
#include "shared/protocol.h"

namespace pipekit::ctl {

// After so long a wait people are shown what for.
inline constexpr std::chrono::seconds kTellAfter{2};

struct Patience {
  std::chrono::seconds to_connect{10};  // --timeout: from the call until the broker takes the request
  std::chrono::seconds to_answer{10};   // from the call until its answer
  Millis resend_after{2000};
  // A connection of which nothing was heard for so many times resend_after may be dead without anybody knowing.
  static constexpr int kSilence = 3;
};

class Client {
 public:
  Client(Link& link, Patience patience);

  // Told once a request after kTellAfter: what is waited for, and for how long at most.
  using Waiting = std::function<void(const std::string&)>;
  void on_waiting(Waiting tell) { waiting_ = std::move(tell); }

  // The reply, refusals included (Reply::error). kUnavailable when there was none in time, naming the endpoint;
  // kVersionMismatch when the broker speaks another version.
  Result<Reply> exchange(const std::string& verb, Json args);
  Result<Reply> exchange(const std::string& verb, Json args, const Patience& patience);

  // The body; a refusal is an Error.
  Result<Json> call(const std::string& verb, Json args);
  // For what a worker answers through the broker (connection.test, module.preview): a database may be slow, and a
  // resend would ask it twice. A signal first tells the broker that nobody waits any more, then ends the process.
  Result<Json> call_slow(const std::string& verb, Json args);

  [[nodiscard]] Link& link() { return link_; }
  [[nodiscard]] const Patience& patience() const { return patience_; }

 private:
  Result<Reply> exchange_or_drop(const std::string& verb, Json args, const Patience& patience);

  Link& link_;
  Patience patience_;
  Waiting waiting_;
  std::string id_;
  int64_t number_ = 0;
};

Error to_error(const WireError& error);
// How long to wait when the broker says that this client asks for too much at once; nullopt: it says something else.
std::optional<Millis> overload(const Reply& reply);
// "waiting for WHAT at the endpoint, N s more at most".
std::string waiting_for(std::string_view what, const Link& link, MonoTime::duration left);
// No answer at all: what is probably wrong and what to do. `sent`: the request may have been executed.
Error no_answer(const Link& link, std::chrono::seconds waited, bool sent);

}  // namespace pipekit::ctl
