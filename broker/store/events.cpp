#include "broker/store/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "shared/codec.h"
#include "shared/utf8.h"

namespace pipekit::store::events {
namespace {

constexpr int64_t kNumbersLookedAt = 100'000;

int64_t text_bytes(const LogChunk& chunk) {
  int64_t bytes = 0;
  for (const auto& line : chunk.lines) bytes += static_cast<int64_t>(line.text.size()) + 1;
  return bytes;
}

// Rows of the store were written by this program; an unreadable one means a broken file.
template <class T>
T sound(Result<T> result, int64_t first) {
  if (!result) throw StoreError(0, "event chunk " + std::to_string(first) + ": " + result.error().message);
  return std::move(*result);
}

Numbered decoded(const Rows& rows) {
  Numbered numbered{rows.get<int64_t>(0), rows.get<int64_t>(1), {}};
  const bool is_log = !rows.is_null(2) && rows.get<int64_t>(3) > 0;  // an elided log has no bytes left
  if (is_log) {
    numbered.chunk = sound(unpack_log_chunk(rows.get<std::string>(4)), numbered.first);
  } else {
    numbered.chunk = sound(unpack_events(rows.get<std::string>(4)), numbered.first);
  }
  return numbered;
}

// `cut`: rows may have been left.
std::vector<Numbered> take(Rows rows, int64_t limit_bytes, bool* cut = nullptr) {
  std::vector<Numbered> chunks;
  int64_t bytes = 0;
  while (bytes < limit_bytes && rows.next()) {
    bytes += static_cast<int64_t>(rows.get<std::string>(4).size()) + 64;
    chunks.push_back(decoded(rows));
  }
  if (cut != nullptr) *cut = bytes >= limit_bytes;
  return chunks;
}

struct Stored {
  int64_t first;
  int64_t last;
  int64_t bytes;
};

std::vector<Stored> log_rows(Database& db, RunId run) {
  std::vector<Stored> stored;
  auto rows = db.query("SELECT first_seq, last_seq, bytes FROM event_chunk WHERE run_id = ? ORDER BY first_seq", run);
  while (rows.next()) stored.push_back({rows.get<int64_t>(0), rows.get<int64_t>(1), rows.get<int64_t>(2)});
  return stored;
}

// The rows that neither the head nor the tail needs.
std::vector<Stored> middle(const std::vector<Stored>& stored, const Limits& limits) {
  auto from = stored.begin();
  for (int64_t head = 0; from != stored.end() && head < limits.head_bytes; ++from) head += from->bytes;
  auto to = stored.end();
  for (int64_t tail = 0; to > from && tail < limits.tail_bytes;) tail += (--to)->bytes;
  return from < to ? std::vector<Stored>(from, to) : std::vector<Stored>{};
}

// Replaces all the lines from `first` on: when they began, and whose they are.
Event elided_event(Database& db, int64_t first) {
  const auto found = scan(db, first - 1, 1);
  if (const auto* before = std::get_if<std::vector<Event>>(&found.at(0).chunk)) return before->at(0);
  const auto& log = std::get<LogChunk>(found.at(0).chunk);
  return {first, log.ts, "run.elided", log.run_id, log.group_run_id, log.module_name, log.worker, Json::object()};
}

void replace_by_elided(Database& db, RunId run, int64_t first, int64_t last) {
  auto event = elided_event(db, first);
  event.fields = {{"from", first}, {"to", last}};
  db.run("DELETE FROM event_chunk WHERE run_id = ? AND first_seq BETWEEN ? AND ?", run, first, last);
  db.run("INSERT INTO event_chunk (first_seq, last_seq, run_id, bytes, body) VALUES (?, ?, ?, 0, ?)", first, last, run,
         Blob{pack(std::vector<Event>{event})});
}

}  // namespace

int64_t last_seq(Database& db) {
  return db.value<int64_t>("SELECT last_seq FROM event_chunk ORDER BY first_seq DESC LIMIT 1").value_or(0);
}

int64_t first_seq(Database& db) { return db.value<int64_t>("SELECT min(first_seq) FROM event_chunk").value_or(0); }

void append(Database& db, const Numbered& chunk) {
  const auto* log = std::get_if<LogChunk>(&chunk.chunk);
  const auto body = log != nullptr ? pack(*log) : pack(std::get<std::vector<Event>>(chunk.chunk));
  const auto run = log != nullptr ? std::optional(log->run_id) : std::nullopt;
  db.run("INSERT INTO event_chunk (first_seq, last_seq, run_id, bytes, body) VALUES (?, ?, ?, ?, ?)", chunk.first,
         chunk.last, run, log != nullptr ? text_bytes(*log) : 0, Blob{body});
}

std::vector<Numbered> scan(Database& db, int64_t after, int64_t limit_bytes) {
  // The chunk that holds `after` may reach beyond it.
  const auto from = db.value<int64_t>("SELECT max(first_seq) FROM event_chunk WHERE first_seq <= ?", after + 1);
  return take(db.query("SELECT first_seq, last_seq, run_id, bytes, body FROM event_chunk"
                       " WHERE first_seq >= ? AND last_seq > ? ORDER BY first_seq",
                       from.value_or(0), after),
              limit_bytes);
}

Look look(Database& db, int64_t after, int64_t limit_bytes, const EventFilter& filter) {
  const auto last = last_seq(db);
  after = std::max(after, first_seq(db) - 1);  // nothing is left of what was before
  Look look;
  look.until = std::max(after, std::min(last, after + kNumbersLookedAt));
  const bool logs = filter.kinds.empty() || std::ranges::find(filter.kinds, "run.log") != filter.kinds.end();
  const auto from = db.value<int64_t>("SELECT max(first_seq) FROM event_chunk WHERE first_seq <= ?", after + 1);
  // An elided log has no bytes.
  bool cut = false;
  look.chunks = take(db.query("SELECT first_seq, last_seq, run_id, bytes, body FROM event_chunk"
                              " WHERE first_seq BETWEEN ?1 AND ?2 AND last_seq > ?3"
                              " AND (run_id IS NULL OR ((?4 IS NULL OR run_id = ?4) AND (?5 OR bytes = 0)))"
                              " ORDER BY first_seq",
                              from.value_or(0), look.until, after, filter.run_id, logs),
                     limit_bytes, &cut);
  if (cut) {
    look.until = look.chunks.back().last;
  } else if (!look.chunks.empty()) {
    look.until = std::max(look.until, look.chunks.back().last);
  }
  return look;
}

std::vector<Numbered> scan_log(Database& db, RunId run, int64_t after, int64_t limit_bytes) {
  return take(db.query("SELECT first_seq, last_seq, run_id, bytes, body FROM event_chunk"
                       " WHERE run_id = ? AND last_seq > ? ORDER BY first_seq",
                       run, after),
              limit_bytes);
}

int64_t elide(Database& db, RunId run, const Limits& limits) {
  const auto stored = log_rows(db, run);
  int64_t total = 0;
  for (const auto& row : stored) total += row.bytes;
  const auto gone = middle(stored, limits);
  int64_t freed = 0;
  for (const auto& row : gone) freed += row.bytes;
  if (freed < limits.tail_bytes / 2) return total;
  for (size_t i = 0; i < gone.size();) {
    size_t end = i + 1;  // neighbours without another event between them become one range
    while (end < gone.size() && gone[end].first == gone[end - 1].last + 1) ++end;
    const bool as_before = end == i + 1 && gone[i].bytes == 0;
    if (!as_before) replace_by_elided(db, run, gone[i].first, gone[end - 1].last);
    i = end;
  }
  return total - freed;
}

int64_t log_bytes(Database& db, RunId run) {
  return db.value<int64_t>("SELECT sum(bytes) FROM event_chunk WHERE run_id = ?", run).value_or(0);
}

namespace {

bool matches(const EventFilter& filter, const std::string& kind, std::optional<int64_t> run,
             std::optional<int64_t> group_run, const std::string& module_name) {
  if (filter.run_id && filter.run_id != run) return false;
  if (filter.group_run_id && filter.group_run_id != group_run) return false;
  if (!filter.module_name.empty() && filter.module_name != module_name) return false;
  return filter.kinds.empty() || std::ranges::find(filter.kinds, kind) != filter.kinds.end();
}

}  // namespace

bool matches(const EventFilter& filter, const Event& event) {
  return matches(filter, event.kind, event.run_id, event.group_run_id, event.module_name);
}

bool matches(const EventFilter& filter, const LogChunk& chunk) {
  return matches(filter, "run.log", chunk.run_id, chunk.group_run_id, chunk.module_name);
}

namespace {

constexpr int64_t kMostOfEvent = int64_t{1} << 20U;

int64_t size_of(const Json& json) {
  int64_t bytes = 8;
  if (const auto* text = json.get_ptr<const std::string*>()) bytes += static_cast<int64_t>(text->size());
  if (!json.is_structured()) return bytes;
  for (const auto& [key, value] : json.items()) bytes += static_cast<int64_t>(key.size()) + size_of(value);
  return bytes;
}

// Written by an older broker, which had no bound.
void shorten(Event& event) {
  const auto bytes = wire_size(event);
  if (bytes > kMostOfEvent) event.fields = Json{{"left_out_bytes", bytes}};
}

void shorten(LogLine& line) {
  if (wire_size(line) <= kMostOfEvent) return;
  const auto left_out = line.text.size() - kMostOfEvent / 2;
  line.text.resize(valid_utf8_prefix(std::string_view(line.text).substr(0, kMostOfEvent / 2)));
  line.text += fmt::format(" … {} bytes left out", left_out);
}

bool is_empty(const TailReply& reply) { return reply.events.empty() && reply.logs.empty(); }

bool collect_lines(const LogChunk& log, int64_t after, int64_t& bytes, TailReply& out) {
  LogChunk part{
      std::max(log.first_seq, after + 1), log.ts, log.run_id, log.group_run_id, log.module_name, log.worker, {}};
  bool all = true;
  for (auto i = static_cast<size_t>(part.first_seq - log.first_seq); i < log.lines.size(); ++i) {
    auto line = log.lines[i];
    shorten(line);
    const auto size = wire_size(line);
    const bool first = is_empty(out) && part.lines.empty();
    if (size > bytes && !first) {
      all = false;
      break;
    }
    bytes -= size;
    part.lines.push_back(std::move(line));
  }
  if (part.lines.empty()) return all;
  out.next = part.first_seq + static_cast<int64_t>(part.lines.size()) - 1;
  out.logs.push_back(std::move(part));
  return all;
}

}  // namespace

int64_t wire_size(const Event& event) { return 300 + size_of(event.fields); }
int64_t wire_size(const LogLine& line) { return 40 + static_cast<int64_t>(line.text.size()); }

bool collect(const Numbered& chunk, int64_t after, const EventFilter& filter, int64_t& bytes, TailReply& out) {
  if (const auto* log = std::get_if<LogChunk>(&chunk.chunk)) {
    if (matches(filter, *log) && !collect_lines(*log, after, bytes, out)) return false;
    out.next = chunk.last;
    return true;
  }
  for (const auto& event : std::get<std::vector<Event>>(chunk.chunk)) {
    const bool elided = event.kind == "run.elided";
    if ((event.seq <= after && !elided) || !matches(filter, event)) continue;
    auto added = event;
    // A reader that has seen the first part of the range, before it was elided or since, gets the rest.
    if (elided && added.seq <= after) {
      added.seq = after + 1;
      added.fields["from"] = after + 1;
    }
    shorten(added);
    const auto size = wire_size(added);
    if (size > bytes && !is_empty(out)) return false;
    bytes -= size;
    out.next = added.seq;
    out.events.push_back(std::move(added));
  }
  out.next = chunk.last;
  return true;
}

}  // namespace pipekit::store::events
