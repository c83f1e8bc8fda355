#include "broker/turn.h"

namespace pipekit {
namespace {

std::vector<Event>* open_events(std::vector<store::events::Numbered>& chunks) {
  return chunks.empty() ? nullptr : std::get_if<std::vector<Event>>(&chunks.back().chunk);
}

}  // namespace

WireError to_wire(const Error& error) { return {std::string(to_string(error.code)), error.message, error.hint}; }

int64_t Turn::emit(Event event) {
  event.seq = ++seq_;
  event.ts = to_ms(wall);
  if (open_events(chunks) == nullptr) chunks.push_back({seq_, seq_, std::vector<Event>{}});
  chunks.back().last = seq_;
  open_events(chunks)->push_back(std::move(event));
  return seq_;
}

void Turn::log(LogChunk chunk) {
  if (chunk.lines.empty()) return;
  chunk.first_seq = seq_ + 1;
  seq_ += static_cast<int64_t>(chunk.lines.size());
  chunks.push_back({chunk.first_seq, seq_, std::move(chunk)});
}

Turn::Mark Turn::mark() const {
  size_t events = 0;
  if (!chunks.empty()) {
    if (const auto* last = std::get_if<std::vector<Event>>(&chunks.back().chunk)) events = last->size();
  }
  return {chunks.size(), sends.size(), reads.size(), events, seq_};
}

void Turn::rollback(const Mark& mark) {
  chunks.resize(mark.chunks);
  if (auto* last = open_events(chunks)) {
    last->resize(mark.events_in_last);
    chunks.back().last = mark.seq;
  }
  sends.erase(sends.begin() + static_cast<std::ptrdiff_t>(mark.sends), sends.end());
  reads.erase(reads.begin() + static_cast<std::ptrdiff_t>(mark.reads), reads.end());
  seq_ = mark.seq;
}

}  // namespace pipekit
