// The event log in chunks. Numbers are given when a turn ends, so they have no gap: append() is called once a turn,
// inside its transaction, with everything that happened in order.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "broker/store/database.h"

namespace pipekit::store::events {

// What is stored as one row. Events of a turn, or a batch of one run's log lines.
using Chunk = std::variant<std::vector<Event>, LogChunk>;

struct Numbered {
  int64_t first = 0;
  int64_t last = 0;
  Chunk chunk;
};

int64_t last_seq(Database& db);
int64_t first_seq(Database& db);  // the oldest still kept; 0 when there is none

void append(Database& db, const Numbered& chunk);

// Up to `limit_bytes` (at least one chunk) of what follows `after`, in order. Chunks are whole: the caller drops the
// numbers up to `after`.
std::vector<Numbered> scan(Database& db, int64_t after, int64_t limit_bytes);

// The same for a reader that wants only what passes `filter`: the logs of other runs are not read. A look at part of
// the sequence, whose length is bounded also where nothing passes.
struct Look {
  std::vector<Numbered> chunks;  // events that do not pass are among them
  int64_t until = 0;             // everything up to this number was looked at
};
Look look(Database& db, int64_t after, int64_t limit_bytes, const EventFilter& filter);
// The same for the log of one run.
std::vector<Numbered> scan_log(Database& db, RunId run, int64_t after, int64_t limit_bytes);

// A chatty log keeps its first `head` and last `tail` bytes; the chunks between become run.elided events that keep
// their numbers. Does nothing until the middle has grown by half a tail, so that its cost is spread.
struct Limits {
  int64_t head_bytes;
  int64_t tail_bytes;
};
// Returns the bytes that remain.
int64_t elide(Database& db, RunId run, const Limits& limits);
int64_t log_bytes(Database& db, RunId run);

// Whether the event passes a tail's filter.
bool matches(const EventFilter& filter, const Event& event);
bool matches(const EventFilter& filter, const LogChunk& chunk);
// Adds what of `chunk` follows `after` and passes the filter, as long as `bytes` last, and moves out.next past what was
// looked at. False: they are used up, and the rest is for the next answer. A first event is always added, in short if
// it is larger than any of ours, so that a reader never gets stuck behind one.
bool collect(const Numbered& chunk, int64_t after, const EventFilter& filter, int64_t& bytes, TailReply& out);

// About what it takes on the wire; writing it out to count would cost as much as storing it.
int64_t wire_size(const Event& event);
int64_t wire_size(const LogLine& line);

}  // namespace pipekit::store::events
