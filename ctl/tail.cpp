#include "ctl/tail.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>

#include "ctl/client.h"

namespace pipekit::ctl {
namespace {

constexpr std::chrono::seconds kSilence{7};  // two beats of 3 s missed

void expand(LogChunk& chunk, std::vector<Event>& out) {
  for (size_t i = 0; i < chunk.lines.size(); ++i) {
    Event event;
    event.seq = chunk.first_seq + static_cast<int64_t>(i);
    event.ts = chunk.ts;
    event.kind = "run.log";
    event.run_id = chunk.run_id;
    event.group_run_id = chunk.group_run_id;
    event.module_name = chunk.module_name;
    event.worker = chunk.worker;
    event.fields = {{"line", std::move(chunk.lines[i].text)}, {"stream", chunk.lines[i].err ? "stderr" : "stdout"}};
    out.push_back(std::move(event));
  }
}

}  // namespace

std::vector<Event> TailCursor::accept(TailReply reply) {
  auto all = std::move(reply.events);
  for (auto& chunk : reply.logs) expand(chunk, all);
  std::ranges::stable_sort(all, {}, &Event::seq);
  std::vector<Event> fresh;
  for (auto& event : all) {
    // A chunk may begin before the number asked from; a repeated answer has only old ones.
    if (event.seq <= after_) continue;
    after_ = event.seq;
    fresh.push_back(std::move(event));
  }
  after_ = std::max(after_, reply.next);
  return fresh;
}

Json flattened(const Event& event) {
  Json json = event.fields.is_object() ? event.fields : Json::object();
  json["seq"] = event.seq;
  json["ts"] = to_iso(from_ms(event.ts));
  json["kind"] = event.kind;
  json["run_id"] = event.run_id ? Json(*event.run_id) : Json();
  if (event.group_run_id) json["group_run_id"] = *event.group_run_id;
  json["module_name"] = event.module_name.empty() ? Json() : Json(event.module_name);
  json["worker"] = event.worker.empty() ? Json() : Json(event.worker);
  return json;
}

Tail::Tail(Link& link, TailWish wish, std::chrono::seconds to_connect, Notice notice)
    : link_(link),
      wish_(std::move(wish)),
      cursor_(wish_.after),
      to_connect_(to_connect),
      notice_(std::move(notice)),
      began_(link.clock().now()) {}

std::optional<MonoTime> Tail::give_up_at() const {
  if (wish_.follow && heard_once_) return std::nullopt;
  return began_ + to_connect_;
}

std::optional<MonoTime> Tail::deadline(std::optional<MonoTime> wake) const {
  std::optional<MonoTime> first = wake;
  const auto consider = [&](std::optional<MonoTime> time) {
    if (time && (!first || *time < *first)) first = time;
  };
  consider(give_up_at());
  if (asked_) consider(silent_at_);
  if (!asked_ && ask_from_ > link_.clock().now()) consider(ask_from_);
  if (wish_.tells_waiting) consider(began_ + kTellAfter);
  return first;
}

void Tail::tell_if_due(MonoTime now) {
  if (!wish_.tells_waiting || now < began_ + kTellAfter) return;
  wish_.tells_waiting = false;
  notice_(waiting_for("a broker", link_, began_ + to_connect_ - now));
}

void Tail::lose(std::string_view reason) {
  asked_ = false;
  if (!lost_ && heard_once_) notice_(fmt::format("{}; waiting for it at {}", reason, link_.endpoint()));
  lost_ = true;
}

void Tail::hear(MonoTime now) {
  if (lost_ && heard_once_) notice_("the broker is back");
  lost_ = asked_ = wish_.tells_waiting = false;
  heard_once_ = true;
  began_ = now;
}

void Tail::ask_if_due(MonoTime now) {
  if (asked_ && now >= silent_at_) {
    link_.reconnect();
    lose("the broker is silent");
  }
  if (asked_ || now < ask_from_) return;
  if (!link_.send(TailRequest{++number_, cursor_.after(), wish_.follow, wish_.filter})) return;
  spdlog::debug("asked for events after {}", cursor_.after());
  asked_ = true;
  silent_at_ = now + kSilence;
}

Result<std::optional<Tail::Step>> Tail::drain() {
  for (;;) {
    auto message = link_.receive();
    if (!message) return message.error();
    if (!*message) return std::optional<Step>{};
    if (std::holds_alternative<BrokerLeaving>(**message)) {
      link_.reconnect();
      lose("the broker has left");
    } else if (const auto* refusal = std::get_if<Reply>(&**message); refusal != nullptr && refusal->error) {
      const auto wait = overload(*refusal);
      if (!wait) return to_error(*refusal->error);
      asked_ = false;
      ask_from_ = link_.clock().now() + *wait;
    } else if (auto* reply = std::get_if<TailReply>(&**message); reply != nullptr && reply->number == number_) {
      hear(link_.clock().now());
      const bool caught_up = reply->next >= reply->last;
      return std::optional<Step>{Step{cursor_.accept(std::move(*reply)), caught_up}};
    }
  }
}

Result<Tail::Step> Tail::next(std::optional<MonoTime> wake) {
  for (;;) {
    const auto now = link_.clock().now();
    if (const auto end = give_up_at(); end && now >= *end) {
      return no_answer(link_, to_connect_, false);
    }
    if (wake && now >= *wake) return Step{};
    ask_if_due(now);
    tell_if_due(now);
    const auto woke = link_.wait(!asked_ && now >= ask_from_, deadline(wake));
    if (woke == Link::Woke::interrupted) return Step{{}, false, End::interrupted};
    if (woke == Link::Woke::output_closed) return Step{{}, false, End::output_closed};
    auto step = drain();
    if (!step) return step.error();
    if (link_.replaced_after_disconnect() && asked_) lose("the connection to the broker broke");
    if (auto refused = link_.refused()) return std::move(*refused);
    if (*step && (!(*step)->events.empty() || !wish_.follow)) return std::move(**step);
  }
}

Result<int64_t> last_event(Link& link, std::chrono::seconds to_connect) {
  constexpr auto kBeyondAll = std::numeric_limits<int64_t>::max();
  const auto until = link.clock().now() + to_connect;
  bool asked = false;
  for (auto now = link.clock().now(); now < until; now = link.clock().now()) {
    if (!asked) asked = link.send(TailRequest{0, kBeyondAll, false, {}});
    link.wait(!asked, until);
    auto message = link.receive();
    if (!message) return message.error();
    if (link.replaced_after_disconnect()) asked = false;
    if (auto refused = link.refused()) return std::move(*refused);
    if (!*message) continue;
    if (const auto* reply = std::get_if<TailReply>(&**message)) return reply->last;
    if (const auto* refusal = std::get_if<Reply>(&**message); refusal != nullptr && refusal->error) {
      return to_error(*refusal->error);
    }
    link.reconnect();  // it leaves
    asked = false;
  }
  return no_answer(link, to_connect, false);
}

}  // namespace pipekit::ctl
