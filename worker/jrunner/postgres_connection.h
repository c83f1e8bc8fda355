// One PostgreSQL connection; other files use libpq only through it. A requested cancellation ends every wait and also
// cancels the statement on the server: a session whose client is gone must not keep waiting for a lock. One thread at a
// time.
// Errors: Failure with the server's message, SQLSTATE, detail and context, kUnavailable when there is no connection
// (any more); Interrupted.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker/jrunner/cancellation.h"
#include "worker/jrunner/jdbc_url.h"

namespace pipekit::jrunner {

using PostgresResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

class PostgresConnection {
 public:
  // Connects and sets up the session so that output does not depend on the server's defaults: UTF-8, ISO dates, all
  // digits of floats, and UTC unless the URL's `options` set a time zone.
  PostgresConnection(const PostgresTarget& target, Cancellation& cancellation);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  [[nodiscard]] PGconn* handle() const { return connection_.get(); }

  // Runs one statement to its end and returns its rows.
  PostgresResult execute(const std::string& sql, const std::vector<std::string>& parameters = {});
  // The statement's columns; it is not executed.
  PostgresResult describe(const std::string& sql);
  // Sends one statement (the server refuses several); next_result() then returns its rows one by one.
  void send_row_by_row(const std::string& sql);
  // The next result, which may be an error; null after the last one.
  PostgresResult next_result();
  // Throws if the result is an error.
  void check(const PostgresResult& result);

  void start_copy(const std::string& sql, ExecStatusType expected);
  // The next line of COPY TO STDOUT with its line end, valid until the next call; empty after the last.
  std::string_view read_copy_line();
  // Writes lines for COPY FROM STDIN; returns when the kernel has all of them.
  void write_copy(std::string_view lines);
  void end_copy();

  [[nodiscard]] bool in_transaction() const;
  [[noreturn]] void fail_connection(const std::string& what) const;

 private:
  void connect(const PostgresTarget& target);
  void prepare_session(const PostgresTarget& target);
  void wait(short events);
  void flush();
  void cancel_statement() const;

  Cancellation& cancellation_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  std::unique_ptr<char, decltype(&PQfreemem)> copy_line_;
  bool connected_ = false;  // once connected, a failure means that the connection was lost
};

}  // namespace pipekit::jrunner
