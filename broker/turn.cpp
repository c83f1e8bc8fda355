#include "broker/turn.h"

#include <fmt/format.h>

#include "shared/utf8.h"

namespace pipekit {
namespace {

std::vector<Event>* open_events(std::vector<store::events::Numbered>& chunks) {
  return chunks.empty() ? nullptr : std::get_if<std::vector<Event>>(&chunks.back().chunk);
}

constexpr size_t kMostOfText = size_t{64} * 1024;      // in an event
constexpr int64_t kMostOfChunk = int64_t{256} * 1024;  // a row of the store is read as a whole

void shorten_texts(Json& json) {
  if (auto* text = json.get_ptr<std::string*>(); text != nullptr && text->size() > kMostOfText) {
    const auto left_out = text->size() - kMostOfText;
    text->resize(valid_utf8_prefix(std::string_view(*text).substr(0, kMostOfText)));
    *text += fmt::format(" … {} bytes left out", left_out);
  }
  if (!json.is_structured()) return;
  for (auto& value : json) shorten_texts(value);
}

}  // namespace

WireError to_wire(const Error& error) { return {std::string(to_string(error.code)), error.message, error.hint}; }

int64_t Turn::emit(Event event) {
  event.seq = ++seq_;
  event.ts = to_ms(wall);
  shorten_texts(event.fields);
  const auto bytes = store::events::wire_size(event);
  if (open_events(chunks) == nullptr || open_bytes_ + bytes > kMostOfChunk) {
    chunks.push_back({seq_, seq_, std::vector<Event>{}});
    open_bytes_ = 0;
  }
  open_bytes_ += bytes;
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
