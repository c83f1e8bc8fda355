// One PostgreSQL connection: the only includer of libpq-fe.h here. Every wait ends with the cancellation, which then
// also cancels the statement on the server; a session whose client is gone must not go on waiting for a lock. One
// thread at a time.
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
  // Connected, with a session whose texts are the same whatever the server's defaults: UTF-8, ISO dates, all digits of
  // floats, and UTC unless the URL's `options` choose a time zone.
  PostgresConnection(const PostgresTarget& target, Cancellation& cancellation);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  [[nodiscard]] PGconn* handle() const { return connection_.get(); }

  // One statement to its end; the rows of it.
  PostgresResult execute(const std::string& sql, const std::vector<std::string>& parameters = {});
  // The statement's columns, unexecuted.
  PostgresResult describe(const std::string& sql);
  // One statement (the server refuses several), its rows one by one from next_result().
  void send_row_by_row(const std::string& sql);
  // The next result of what was sent, errors included; null after the last.
  PostgresResult next_result();
  // What the result says, thrown if it is an error.
  void check(const PostgresResult& result);

  void start_copy(const std::string& sql, ExecStatusType expected);
  // The next line of COPY TO STDOUT with its line end, valid until the next call; empty after the last.
  std::string_view read_copy_line();
  // Lines for COPY FROM STDIN; returns when the kernel has them all.
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
  bool connected_ = false;  // once: from then on a failure is a loss
};

}  // namespace pipekit::jrunner
