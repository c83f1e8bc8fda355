#include "worker/jrunner/postgres_connection.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <utility>

#include "worker/jrunner/failure.h"

namespace pipekit::jrunner {
namespace {

using std::chrono::steady_clock;
constexpr std::chrono::seconds kConnectTimeout{30};

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \r\n") + 1);
  return text;
}

Error server_error(const PGresult* result) {
  auto message = field(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = trimmed(PQresultErrorMessage(result));
  const auto state = field(result, PG_DIAG_SQLSTATE);
  if (!state.empty()) message += " (SQLSTATE " + state + ")";
  if (const auto detail = field(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) message += "\ndetail: " + detail;
  if (const auto context = field(result, PG_DIAG_CONTEXT); !context.empty()) message += "\ncontext: " + context;
  return {ErrorCode::kUnexpected, std::move(message), field(result, PG_DIAG_MESSAGE_HINT)};
}

// Ended by an administrator, a shutdown or a lost connection; libpq may learn only later that the socket is closed.
bool ends_session(std::string_view state) {
  return state.starts_with("08") || state == "57P01" || state == "57P02" || state == "57P05";
}

// Defaults that the URL overrides. With keepalives a server that has vanished is an error after about a minute.
constexpr std::array<std::pair<const char*, const char*>, 6> kDefaults{
    {{"fallback_application_name", "pipekit-jrunner"},
     {"client_encoding", "UTF8"},
     {"keepalives", "1"},
     {"keepalives_idle", "30"},
     {"keepalives_interval", "10"},
     {"keepalives_count", "3"}}};

steady_clock::duration connect_timeout(const PostgresTarget& target) {
  const auto text = target.keyword("connect_timeout");
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return seconds > 0 ? std::chrono::seconds(seconds) : kConnectTimeout;
}

// Polls until ready, cancelled or late; returns whether it is ready.
bool poll_until(int socket, short events, int cancellation, steady_clock::time_point deadline) {
  std::array<pollfd, 2> fds{{{socket, events, 0}, {cancellation, POLLIN, 0}}};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
  const int ready = left <= 0 ? 0 : ::poll(fds.data(), fds.size(), static_cast<int>(left));
  return ready > 0 || (ready < 0 && errno == EINTR);
}

}  // namespace

PostgresConnection::PostgresConnection(const PostgresTarget& target, Cancellation& cancellation)
    : cancellation_(cancellation), connection_(nullptr, &PQfinish), copy_line_(nullptr, &PQfreemem) {
  connect(target);
  prepare_session(target);
}

PostgresConnection::~PostgresConnection() {
  if (connection_ && PQtransactionStatus(handle()) == PQTRANS_ACTIVE) cancel_statement();
}

void PostgresConnection::connect(const PostgresTarget& target) {
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : kDefaults) {
    names.push_back(name);
    values.push_back(value);
  }
  for (const auto& [name, value] : target.keywords) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  if (!connection_) throw std::bad_alloc();
  const auto deadline = steady_clock::now() + connect_timeout(target);
  auto state = PQstatus(handle()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) fail_connection("cannot connect");
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    const bool ready = poll_until(PQsocket(handle()), events, cancellation_.fd(), deadline);
    cancellation_.throw_if_requested();
    if (!ready) fail_connection("no connection within the time limit (connectTimeout)");
    state = PQconnectPoll(handle());
  }
  PQsetnonblocking(handle(), 1);
  connected_ = true;
}

// Set after connecting and not as startup parameters, because connection poolers refuse unknown ones.
void PostgresConnection::prepare_session(const PostgresTarget& target) {
  execute(
      "SELECT set_config('datestyle', 'ISO, MDY', false), set_config('intervalstyle', 'postgres', false), "
      "set_config('bytea_output', 'hex', false), set_config('extra_float_digits', '3', false)");
  if (!target.time_zone_chosen) execute("SET TimeZone = 'UTC'");
  if (!target.search_path.empty()) execute("SELECT set_config('search_path', $1, false)", {target.search_path});
  constexpr int kHasConnectionChecks = 140000;
  if (PQserverVersion(handle()) < kHasConnectionChecks) return;
  try {  // the server notices a client that was killed while its statement waits; not on every platform
    execute("SET client_connection_check_interval = '5s'");
  } catch (const Failure&) {
    return;
  }
}

void PostgresConnection::fail_connection(const std::string& what) const {
  const auto* handle = connection_.get();
  std::string place;
  if (const char* database = PQdb(handle); database != nullptr) place += std::string(" ") + database;
  if (const char* host = PQhost(handle); host != nullptr && *host != '\0') place += std::string(" at ") + host;
  if (const char* port = PQport(handle); port != nullptr && *port != '\0') place += std::string(":") + port;
  const auto detail = trimmed(PQerrorMessage(handle));
  if (!connected_) {
    throw Failure({ErrorCode::kUnavailable, "PostgreSQL" + place + ": " + what + ": " + detail,
                   "check the URL, the user and the password, and that the server is running"});
  }
  // The same message whether the server's last error was received or only the end of the stream.
  throw Failure({ErrorCode::kUnavailable,
                 "the connection to PostgreSQL was lost:" + place + ": " + what + ": " + detail,
                 "the server's log says why it ended the session"});
}

void PostgresConnection::wait(short events) {
  std::array<pollfd, 2> fds{{{PQsocket(handle()), events, 0}, {cancellation_.fd(), POLLIN, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  cancellation_.throw_if_requested();
  if ((fds[0].revents & ~POLLOUT) != 0 && PQconsumeInput(handle()) == 0) fail_connection("cannot receive");
}

// While the server does not accept data it may be sending, so both directions are served.
void PostgresConnection::flush() {
  for (int left = PQflush(handle()); left != 0; left = PQflush(handle())) {
    if (left < 0) fail_connection("cannot send");
    wait(POLLIN | POLLOUT);
  }
}

PostgresResult PostgresConnection::next_result() {
  while (PQisBusy(handle()) != 0) wait(POLLIN);
  return {PQgetResult(handle()), &PQclear};
}

void PostgresConnection::check(const PostgresResult& result) {
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_FATAL_ERROR && status != PGRES_BAD_RESPONSE && status != PGRES_NONFATAL_ERROR) return;
  auto error = server_error(result.get());
  if (PQstatus(handle()) == CONNECTION_BAD || ends_session(field(result.get(), PG_DIAG_SQLSTATE))) {
    error.code = ErrorCode::kUnavailable;
    error.message = "the connection to PostgreSQL was lost: " + error.message;
  }
  throw Failure(std::move(error));
}

PostgresResult PostgresConnection::execute(const std::string& sql, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& parameter : parameters) values.push_back(parameter.c_str());
  const int sent = PQsendQueryParams(handle(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                                     nullptr, nullptr, 0);
  if (sent == 0) fail_connection("cannot send");
  flush();
  PostgresResult last(nullptr, &PQclear);
  while (auto result = next_result()) {
    check(result);
    last = std::move(result);
  }
  return last;
}

PostgresResult PostgresConnection::describe(const std::string& sql) {
  if (PQsendPrepare(handle(), "", sql.c_str(), 0, nullptr) == 0) fail_connection("cannot send");
  flush();
  while (auto result = next_result()) check(result);
  if (PQsendDescribePrepared(handle(), "") == 0) fail_connection("cannot send");
  flush();
  PostgresResult description(nullptr, &PQclear);
  while (auto result = next_result()) {
    check(result);
    description = std::move(result);
  }
  return description;
}

void PostgresConnection::send_row_by_row(const std::string& sql) {
  if (PQsendQueryParams(handle(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) {
    fail_connection("cannot send");
  }
  PQsetSingleRowMode(handle());
  flush();
}

void PostgresConnection::start_copy(const std::string& sql, ExecStatusType expected) {
  if (PQsendQuery(handle(), sql.c_str()) == 0) fail_connection("cannot send");
  flush();
  const auto result = next_result();
  check(result);
  if (PQresultStatus(result.get()) != expected) throw Failure({ErrorCode::kUnexpected, "COPY did not begin: " + sql});
}

std::string_view PostgresConnection::read_copy_line() {
  char* line = nullptr;
  int size = PQgetCopyData(handle(), &line, 1);
  while (size == 0) {
    wait(POLLIN);
    size = PQgetCopyData(handle(), &line, 1);
  }
  copy_line_.reset(line);
  if (size > 0) return {line, static_cast<size_t>(size)};
  if (size < -1) fail_connection("COPY failed");
  while (auto result = next_result()) check(result);
  return {};
}

// In pieces, because libpq copies its input into a buffer, which then stays small even for a huge row.
void PostgresConnection::write_copy(std::string_view lines) {
  constexpr size_t kPiece = size_t{512} * 1024;
  while (!lines.empty()) {
    const auto piece = lines.substr(0, kPiece);
    if (PQputCopyData(handle(), piece.data(), static_cast<int>(piece.size())) != 1) fail_connection("COPY failed");
    flush();
    lines.remove_prefix(piece.size());
  }
}

void PostgresConnection::end_copy() {
  if (PQputCopyEnd(handle(), nullptr) != 1) fail_connection("COPY failed");
  flush();
  while (auto result = next_result()) check(result);
}

bool PostgresConnection::in_transaction() const {
  const auto status = PQtransactionStatus(handle());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

void PostgresConnection::cancel_statement() const {
  const std::unique_ptr<PGcancel, decltype(&PQfreeCancel)> cancel(PQgetCancel(handle()), &PQfreeCancel);
  std::array<char, 256> message{};
  if (cancel) PQcancel(cancel.get(), message.data(), static_cast<int>(message.size()));
}

}  // namespace pipekit::jrunner
