#include "worker/runner.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>

#include "shared/failpoint.h"
#include "shared/jdbc_url.h"
#include "shared/poller.h"
#include "shared/utf8.h"
#include "worker/head_tail.h"
#include "worker/line_splitter.h"

namespace pipekit::worker {
namespace {

constexpr Millis kBatchAge{50};
constexpr size_t kBatchBytes = size_t{64} * 1024;
constexpr size_t kHeadBytes = size_t{16} * 1024;
constexpr size_t kTailBytes = size_t{48} * 1024;
constexpr size_t kComplaintBytes = 4096;
// Of a line that is rewritten by carriage returns: a newline just behind one makes it an ordinary line.
constexpr Millis kStateDelay{250};
constexpr Millis kStatePeriod{1000};

// "progress: 12000 rows so far", as the bundled runner prints it now and then.
std::optional<int64_t> progress_rows(std::string_view line) {
  constexpr std::string_view kPrefix = "progress: ";
  if (!line.starts_with(kPrefix) || !line.ends_with(" rows so far")) return std::nullopt;
  int64_t rows = 0;
  const auto* begin = line.data() + kPrefix.size();
  if (std::from_chars(begin, line.data() + line.size(), rows).ec != std::errc{}) return std::nullopt;
  return rows;
}

std::string last_lines(const std::string& text) {
  if (text.size() <= kComplaintBytes) return text;
  const auto from = text.find('\n', text.size() - kComplaintBytes);
  return from == std::string::npos ? text.substr(text.size() - kComplaintBytes) : text.substr(from + 1);
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

// One child's output on its way: bytes -> masked -> lines -> log, count and what the run log keeps.
struct Runner::Call {
  Call(const Clock& clock_in, Link& link_in, const Masker& masker_in)
      : clock(clock_in), link(link_in), masker(masker_in), out_mask(masker_in), err_mask(masker_in) {}

  const Clock& clock;
  Link& link;
  const Masker& masker;
  Kind kind = Kind::work;
  bool lines_to_log = false;  // stdout is for people; else it is data and kept whole
  bool quiet = false;
  size_t max_output = 0;
  std::optional<int64_t> max_rows;
  RowCount* count = nullptr;

  Masker out_mask;
  Masker err_mask;
  LineSplitter out_lines;
  LineSplitter err_lines;
  HeadTail out_kept{kHeadBytes, kTailBytes};
  HeadTail err_kept{kHeadBytes, kTailBytes};
  std::vector<LogLine> batch;
  size_t batch_bytes = 0;
  std::optional<int64_t> progress;
  MonoTime batch_since{};
  std::optional<int64_t> last_rows;
  std::string told_state;
  MonoTime state_told{};
  std::optional<MonoTime> state_due;  // there is a new state of an unfinished line
  int64_t newlines = 0;
  CallResult result;
  std::optional<MonoTime> kill_at;
  bool heeds_cancel = true;
  std::optional<MonoTime> limit;

  void add_line(bool err, std::string line) {
    line = masker.mask(line);  // again: escape sequences within a secret are gone only now
    told_state.clear();
    (err ? err_kept : out_kept).add_line(line);
    if (!err && count != nullptr) count->feed(line);
    if (err && quiet) return;
    if (const auto rows = err || count == nullptr ? std::nullopt : progress_rows(line)) {
      begin_batch();
      progress = last_rows = rows;  // the newest is enough, however many lines tell of it
      return;
    }
    begin_batch();
    batch_bytes += line.size() + 16;
    batch.push_back({err, std::move(line)});
    if (batch_bytes >= kBatchBytes) flush();
  }

  [[nodiscard]] bool pending() const { return !batch.empty() || progress; }
  void begin_batch() {
    if (!pending()) batch_since = clock.now();
  }

  void flush() {
    if (!batch.empty()) link.send(fact::Log{to_ms(clock.wall()), std::move(batch)});
    if (progress) link.send(fact::Progress{to_ms(clock.wall()), *progress, {}});
    batch.clear();
    batch_bytes = 0;
    progress.reset();
  }

  void note_state() {
    const bool new_state = out_lines.has_state() || (err_lines.has_state() && !quiet);
    if (!new_state) state_due.reset();
    if (new_state && !state_due) state_due = std::max(clock.now() + kStateDelay, state_told + kStatePeriod);
  }

  void tell_state() {
    state_due.reset();
    state_told = clock.now();
    auto state = out_lines.take_state();
    if (auto err_state = quiet ? std::nullopt : err_lines.take_state()) state = std::move(err_state);
    if (!state || *state == told_state) return;
    flush();
    told_state = *state;
    if (const auto rows = progress_rows(*state)) last_rows = rows;
    link.send(fact::Progress{to_ms(clock.wall()), last_rows.value_or(0), masker.mask(*state)});
  }

  void take_stdout(std::string_view bytes) {
    if (lines_to_log) {
      out_lines.feed(out_mask.feed(bytes), [&](std::string line) { add_line(false, std::move(line)); });
      return note_state();
    }
    newlines += std::count(bytes.begin(), bytes.end(), '\n');
    const auto room = max_output - std::min(max_output, result.output.size());
    if (bytes.size() > room) result.overflow = true;
    result.output.append(bytes.substr(0, room));
  }

  void take_stderr(std::string_view bytes) {
    err_lines.feed(err_mask.feed(bytes), [&](std::string line) { add_line(true, std::move(line)); });
    note_state();
  }

  void finish() {
    if (lines_to_log) {
      const auto sink = [&](std::string line) { add_line(false, std::move(line)); };
      out_lines.feed(out_mask.finish(), sink);
      out_lines.finish(sink);
      result.output = out_kept.text();
    }
    const auto sink = [&](std::string line) { add_line(true, std::move(line)); };
    err_lines.feed(err_mask.finish(), sink);
    err_lines.finish(sink);
    flush();
    result.errors = err_kept.text();
    result.complaint = trimmed(last_lines(result.errors));
    if (count != nullptr) result.rows = count->result();
  }

  // False at EOF.
  template <class Take>
  bool read_from(int fd, Take take) {
    std::array<char, 64 * 1024> buffer;
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) take(std::string_view(buffer.data(), static_cast<size_t>(n)));
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
  }
  bool read_stdout(int fd) {
    return read_from(fd, [this](std::string_view bytes) { take_stdout(bytes); });
  }
  bool read_stderr(int fd) {
    return read_from(fd, [this](std::string_view bytes) { take_stderr(bytes); });
  }
  [[nodiscard]] bool has_enough() const { return overflow_or_rows(); }

 private:
  [[nodiscard]] bool overflow_or_rows() const { return result.overflow || (max_rows && newlines > *max_rows); }
};

Runner::Runner(const RunnerConfig& config, std::string tag, const Clock& clock, Link& link,
               const std::vector<std::string>& secrets)
    : config_(config), tag_(std::move(tag)), clock_(clock), link_(link), masker_(secrets) {}

Result<void> Runner::add_connection(Arguments& arguments, const ConnectionSnapshot& connection, const char* prefix,
                                    const char* variable) const {
  const auto refused = [&](const Error& why, const std::string& message) {
    return Error{why.code, fmt::format("connection {}: {}", connection.name, message), why.hint};
  };
  if (const auto url = check_jdbc_url(connection.jdbc_url, config_.url_parameters); !url) {
    auto error = refused(url.error(), "jdbc_url " + url.error().message);
    if (error.hint.empty()) error.hint = "if it is harmless, allow it on this worker: --url-parameter NAME";
    return error;
  }
  const auto password = config_.secrets.resolve(connection.password, connection.jdbc_url);
  if (!password) return refused(password.error(), password.error().message);
  const auto flag = [&](const char* letter) { return std::string("-") + prefix + letter; };
  arguments.argv.insert(arguments.argv.end(), {flag("cu"), connection.jdbc_url, flag("cn"), connection.username});
  if (config_.passwords_as_arguments) {
    arguments.argv.insert(arguments.argv.end(), {flag("cp"), *password});
  } else if (!password->empty()) {
    arguments.argv.insert(arguments.argv.end(), {flag("cp"), std::string("env:") + variable});
    arguments.env.emplace_back(variable, *password);
  } else if (!config_.bundled) {
    arguments.argv.insert(arguments.argv.end(), {flag("cp"), ""});
  }
  return {};
}

Result<std::filesystem::path> Runner::write_script(const std::string& sql) {
  const auto file = config_.scratch / fmt::format("{}-{}.sql", tag_, ++calls_);
  const UniqueFd fd(::open(file.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600));
  const bool written = fd && ::write(fd.get(), sql.data(), sql.size()) == static_cast<ssize_t>(sql.size());
  if (!written) {
    return Error{ErrorCode::kUnavailable,
                 fmt::format("cannot write {}: {}", file.string(), errno == 0 ? "disk full" : strerror(errno)),
                 "the worker's state directory needs room"};
  }
  return file;
}

CallResult Runner::not_started(const Error& why) {
  CallResult result;
  result.interruption = Interruption::not_started;
  result.complaint = why.message;
  result.hint = why.hint;
  return result;
}

CallResult Runner::query(const Query& query) {
  Call call(clock_, link_, masker_);
  call.kind = query.kind;
  call.lines_to_log = query.stream_output;
  call.quiet = query.quiet;
  call.max_output = query.max_output;
  call.max_rows = query.max_rows;
  Arguments arguments{{config_.program}, config_.environment};
  if (config_.bundled && query.read_only && query.connection.read_only) arguments.argv.emplace_back("--read-only");
  if (config_.bundled && query.generated) arguments.argv.emplace_back("--generated");
  if (auto added = add_connection(arguments, query.connection, "s", "PIPEKIT_SOURCE_PASSWORD"); !added) {
    return not_started(added.error());
  }
  const auto script = write_script(query.sql);
  if (!script) return not_started(script.error());
  arguments.argv.insert(arguments.argv.end(), {"-sq", script->string(), "-f", "csv"});
  auto result = run(arguments, call);
  std::filesystem::remove(*script);
  return result;
}

CallResult Runner::migrate(const Migration& migration, RowCount count) {
  Call call(clock_, link_, masker_);
  call.lines_to_log = true;
  call.count = &count;
  Arguments arguments{{config_.program}, config_.environment};
  if (config_.bundled && migration.source.read_only) arguments.argv.emplace_back("--read-only");
  for (const auto& [connection, prefix, variable] : {std::tuple{&migration.source, "s", "PIPEKIT_SOURCE_PASSWORD"},
                                                     {&migration.dest, "d", "PIPEKIT_DEST_PASSWORD"}}) {
    if (auto added = add_connection(arguments, *connection, prefix, variable); !added) {
      return not_started(added.error());
    }
  }
  const auto script = write_script(migration.sql);
  if (!script) return not_started(script.error());
  arguments.argv.insert(arguments.argv.end(), {"-sq", script->string(), "-dt", migration.table});
  auto result = run(arguments, call);
  std::filesystem::remove(*script);
  return result;
}

CallResult Runner::run(const Arguments& arguments, Call& call) {
  link_.pump();
  set_limits(call);
  if (call.heeds_cancel && link_.cancelled()) {
    call.result.interruption = Interruption::cancelled;
    return call.result;
  }
  if (!link_.may_start()) {
    call.result.interruption = Interruption::killed;
    return call.result;
  }
  auto process = Process::spawn({arguments.argv, arguments.env, {}, config_.lock_fd, {}, config_.open_files});
  if (!process) return not_started(process.error());
  wait(*process, call);
  call.finish();
  const auto& result = call.result;
  const bool ended_itself = result.interruption == Interruption::none && !result.overflow;
  if (ended_itself && !result.ok() && result.complaint.empty()) {
    call.result.hint = "it said nothing on stderr; see what it printed: pipekit-ctl runs logs";
  }
  return std::move(call.result);
}

void Runner::set_limits(Call& call) const {
  const auto now = clock_.now();
  const bool late = link_.cancelled() || (deadline_ && *deadline_ <= now);
  const bool cleans_up = call.kind == Kind::clean_up || (call.kind == Kind::hook && late);
  call.heeds_cancel = !cleans_up;
  call.limit = cleans_up ? now + kCleanUpLimit : deadline_;
}

void Runner::wait(Process& process, Call& call) {
  Poller poller;
  const auto on_link = poller.add(link_.socket());
  const auto on_exit = poller.add(process.exit_fd());
  const auto on_out = poller.add(process.stdout_fd());
  const auto on_err = poller.add(process.stderr_fd());
  bool out_open = true;
  bool err_open = true;
  bool exited = false;
  while (out_open || err_open || !exited) {
    const bool reading = !link_.congested();
    poller.watch(on_out, out_open && reading);
    poller.watch(on_err, err_open && reading);
    poller.watch(on_exit, !exited);
    std::optional<MonoTime> wake;
    const auto consider = [&](MonoTime at) { wake = std::min(wake.value_or(at), at); };
    if (call.pending()) consider(call.batch_since + kBatchAge);
    if (call.state_due) consider(*call.state_due);
    if (!exited) {
      if (call.kill_at) consider(*call.kill_at);
      if (call.result.interruption == Interruption::none && call.limit) consider(*call.limit);
    }
    poller.wait_until(wake, clock_);
    if (poller.readable(on_link)) link_.pump();
    if (poller.readable(on_out)) out_open = call.read_stdout(process.stdout_fd());
    if (poller.readable(on_err)) err_open = call.read_stderr(process.stderr_fd());
    if (!exited && poller.readable(on_exit)) {
      exited = true;
      call.result.exit = process.status();
      // With its supervisor killed a descendant may hold the pipes for ever: what is in them now is all.
      if (call.result.exit && call.result.exit->kind == ExitStatus::Kind::kLost) break;
    }
    if (!exited) check_interruption(process, call);
    if (exited && link_.killed()) break;  // nobody acknowledges any more, so the rest could wait for ever
    if (call.pending() && call.batch_since + kBatchAge <= clock_.now()) call.flush();
    if (call.state_due && *call.state_due <= clock_.now()) call.tell_state();
  }
  if (call.max_rows && call.newlines > *call.max_rows) call.result.exit = ExitStatus{ExitStatus::Kind::kExited, 0};
}

void Runner::check_interruption(Process& process, Call& call) {
  const auto now = clock_.now();
  auto& why = call.result.interruption;
  if (link_.killed() && why != Interruption::killed) {
    why = Interruption::killed;
    process.kill();
    return;
  }
  if (call.kill_at && *call.kill_at <= now) {
    process.kill();
    call.kill_at = now + config_.kill_grace;
    return;
  }
  if (call.kill_at) return;
  if (call.has_enough()) {
    process.kill();
    call.kill_at = now + config_.kill_grace;
  } else if (call.heeds_cancel && link_.cancelled()) {
    why = Interruption::cancelled;
  } else if (call.limit && *call.limit <= now) {
    why = call.heeds_cancel ? Interruption::timed_out : Interruption::overran;
    call.result.time_limit = time_limit_;
  }
  if (why == Interruption::none) return;
  process.terminate();
  call.kill_at = now + config_.kill_grace;
}

}  // namespace pipekit::worker
