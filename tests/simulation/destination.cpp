#include "tests/simulation/destination.h"

#include <algorithm>
#include <stdexcept>

namespace pipekit::simulation {
namespace {

sqlite3* open(const std::string& uri) {
  sqlite3* db = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(uri.c_str(), &db, kFlags, nullptr) != SQLITE_OK) throw std::runtime_error("cannot open " + uri);
  sqlite3_exec(db, "PRAGMA synchronous=OFF", nullptr, nullptr, nullptr);
  return db;
}

std::vector<std::vector<std::string>> all_rows(sqlite3* db, const std::string& sql) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [](void* into, int count, char** values, char**) {
    auto& row = static_cast<decltype(rows)*>(into)->emplace_back();
    for (int i = 0; i < count; ++i) row.emplace_back(values[i] == nullptr ? "" : values[i]);
    return 0;
  };
  if (sqlite3_exec(db, sql.c_str(), add, &rows, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sql + ": " + sqlite3_errmsg(db));
  }
  return rows;
}

void note_table(void* touched, int, const char*, const char* table, sqlite3_int64) {
  static_cast<std::set<std::string>*>(touched)->insert(table);
}

}  // namespace

Destination::Destination(World& world, std::string name, CommitWatch& watch)
    : world_(world),
      name_(std::move(name)),
      uri_("file:/" + name_ + "?vfs=memdb"),
      watch_(watch),
      keeper_(open(uri_)) {}

Destination::~Destination() {
  for (const auto& [id, session] : std::map(live_)) session->end("the simulation is over");
  sqlite3_close(keeper_);
}

std::shared_ptr<Session> Destination::begin(RunKey attempt, std::string script) {
  auto session = std::make_shared<Session>(*this, ++begun_, attempt, std::move(script));
  live_[begun_] = session;
  auto& random = world_.random;
  const bool late = random.chance(moods.late);
  if (late) world_.count("sessions late");
  if (on_begin_) on_begin_(attempt, session->merges());
  session->go_on_in(late ? random.millis(1000, 60'000) : random.millis(1, 20));
  return session;
}

void Destination::restart() {
  world_.note("{}: restarts, {} sessions end", name_, live_.size());
  for (const auto& [id, session] : std::map(live_)) session->end("server closed the connection unexpectedly");
}

void Destination::run(const std::string& sql) { all_rows(keeper_, sql); }
std::vector<std::vector<std::string>> Destination::rows(const std::string& sql) const { return all_rows(keeper_, sql); }

Session::Session(Destination& server, int64_t id, RunKey attempt, std::string script)
    : server_(server), id_(id), attempt_(attempt), script_(std::move(script)) {}

Session::~Session() { sqlite3_close(db_); }

std::vector<std::vector<std::string>> Session::rows(const std::string& sql) const { return all_rows(db_, sql); }

void Session::go_on_in(MonoTime::duration delay) {
  server_.world_.after(delay, [self = weak_from_this()] {
    if (const auto session = self.lock()) session->go_on();
  });
}

void Session::go_on() {
  if (ended_) return;
  auto& random = server_.world_.random;
  if (db_ == nullptr) {
    db_ = open(server_.uri_);
    sqlite3_update_hook(db_, note_table, &touched_);
  }
  if (script_.compare(at_, 10, "DROP TABLE") == 0 && random.chance(server_.moods.holds)) {
    return end("error: canceling statement due to lock timeout");
  }
  if (random.chance(server_.moods.breaks)) {
    server_.world_.count("sessions broken");
    return end("server closed the connection unexpectedly");
  }
  const int code = execute();
  if (code == SQLITE_BUSY) return go_on_in(random.millis(5, 60));
  if (code != SQLITE_OK) return end(std::string("error: ") + sqlite3_errmsg(db_));
  if (script_.find_first_not_of(" \n;", at_) == std::string::npos) {
    if (client_alive_ && random.chance(server_.moods.lost)) {
      server_.world_.count("answers lost");
      return end("server closed the connection unexpectedly");
    }
    return end("");
  }
  const bool slow = random.chance(server_.moods.slow);
  if (slow) server_.world_.count("statements slow");
  go_on_in(slow ? random.millis(2000, 40'000) : server_.moods.pace * random.millis(1, 60));
}

int Session::execute() {
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  int code = sqlite3_prepare_v2(db_, script_.c_str() + at_, -1, &statement, &rest);
  if (code != SQLITE_OK) return code & 0xff;
  bool first = true;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    collect(statement, first);
    first = false;
  }
  if (code == SQLITE_DONE && first && sqlite3_column_count(statement) > 0) collect(statement, true);
  const bool done = code == SQLITE_DONE;
  sqlite3_finalize(statement);
  if (!done) return code & 0xff;
  at_ = static_cast<size_t>(rest - script_.c_str());
  tell_watch();
  return SQLITE_OK;
}

// Values in the simulation need no quotes.
void Session::collect(sqlite3_stmt* statement, bool first) {
  const int columns = sqlite3_column_count(statement);
  if (first) {
    csv_.clear();
    for (int i = 0; i < columns; ++i) csv_ += (i == 0 ? "" : ",") + std::string(sqlite3_column_name(statement, i));
    csv_ += "\n";
  }
  if (sqlite3_data_count(statement) == 0) return;
  for (int i = 0; i < columns; ++i) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
    csv_ += (i == 0 ? "" : ",") + std::string(text == nullptr ? "" : text);
  }
  csv_ += "\n";
}

void Session::tell_watch() {
  if (sqlite3_get_autocommit(db_) == 0 || touched_.empty()) return;
  const auto tables = std::exchange(touched_, {});
  server_.watch_.committed(*this, tables);
}

void Session::client_dies() {
  if (!client_alive_) return;
  client_alive_ = false;
  on_answer_ = nullptr;
  if (ended_) return;
  if (server_.world_.random.chance(server_.moods.runs_on)) {
    server_.world_.count("sessions run on");
    server_.world_.note("{}: the session of {}/{} runs on without its client", server_.name(), attempt_.run.value,
                        attempt_.epoch.value);
    return;
  }
  end("the client is gone");
}

void Session::end(const std::string& error) {
  if (ended_) return;
  if (error.find("NOT NULL") != std::string::npos) server_.world_.count("merges fenced out");
  if (error.find("no such table") != std::string::npos) server_.world_.count("merges without staging");
  const auto self = shared_from_this();
  ended_ = true;
  error_ = error;
  answered_ = true;
  sqlite3_close(db_);  // an open transaction is rolled back
  db_ = nullptr;
  server_.live_.erase(id_);
  if (client_alive_ && on_answer_) on_answer_();
}

}  // namespace pipekit::simulation
