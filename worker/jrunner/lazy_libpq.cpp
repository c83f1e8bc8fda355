// Loads libpq when one of its functions is first called. libpq needs about twenty other libraries (TLS, Kerberos,
// LDAP); loading them takes longer than everything else in a call on SQLite, and a run of a module makes nine calls.
//
// These definitions replace the library's at link time, so the rest of this program uses libpq-fe.h as usual. A
// function that is missing here is a link error.
#include <dlfcn.h>
#include <libpq-fe.h>

#include <string>

#include "worker/jrunner/failure.h"

namespace pipekit::jrunner {
namespace {

void* library() {
  static void* const handle = ::dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    throw Failure({ErrorCode::kUnavailable, std::string("cannot load the PostgreSQL client library: ") + ::dlerror(),
                   "install it (on Debian: libpq5)"});
  }
  return handle;
}

template <class Function>
Function* find(const char* name) {
  void* const symbol = ::dlsym(library(), name);
  if (symbol == nullptr) {
    throw Failure({ErrorCode::kUnavailable, std::string("the PostgreSQL client library lacks ") + name,
                   "it is older than the library this program was built with"});
  }
  return reinterpret_cast<Function*>(symbol);
}

}  // namespace
}  // namespace pipekit::jrunner

#define LAZY(result, name, parameters, arguments)                               \
  extern "C" result name parameters {                                           \
    static const auto function = pipekit::jrunner::find<decltype(name)>(#name); \
    return function arguments;                                                  \
  }

LAZY(PGconn*, PQconnectStartParams, (const char* const* names, const char* const* values, int expand),
     (names, values, expand))
LAZY(PostgresPollingStatusType, PQconnectPoll, (PGconn * c), (c))
LAZY(void, PQfinish, (PGconn * c), (c))
LAZY(ConnStatusType, PQstatus, (const PGconn* c), (c))
LAZY(PGTransactionStatusType, PQtransactionStatus, (const PGconn* c), (c))
LAZY(const char*, PQparameterStatus, (const PGconn* c, const char* name), (c, name))
LAZY(int, PQserverVersion, (const PGconn* c), (c))
LAZY(char*, PQerrorMessage, (const PGconn* c), (c))
LAZY(int, PQsocket, (const PGconn* c), (c))
LAZY(char*, PQdb, (const PGconn* c), (c))
LAZY(char*, PQhost, (const PGconn* c), (c))
LAZY(char*, PQport, (const PGconn* c), (c))
LAZY(int, PQsetnonblocking, (PGconn * c, int on), (c, on))
LAZY(int, PQconsumeInput, (PGconn * c), (c))
LAZY(int, PQflush, (PGconn * c), (c))
LAZY(int, PQisBusy, (PGconn * c), (c))
LAZY(PGcancel*, PQgetCancel, (PGconn * c), (c))
LAZY(void, PQfreeCancel, (PGcancel * cancel), (cancel))
LAZY(int, PQcancel, (PGcancel * cancel, char* message, int size), (cancel, message, size))

LAZY(int, PQsendQuery, (PGconn * c, const char* sql), (c, sql))
LAZY(int, PQsendQueryParams,
     (PGconn * c, const char* sql, int count, const Oid* types, const char* const* values, const int* lengths,
      const int* formats, int result_format),
     (c, sql, count, types, values, lengths, formats, result_format))
LAZY(int, PQsendPrepare, (PGconn * c, const char* name, const char* sql, int count, const Oid* types),
     (c, name, sql, count, types))
LAZY(int, PQsendDescribePrepared, (PGconn * c, const char* name), (c, name))
LAZY(int, PQsetSingleRowMode, (PGconn * c), (c))
LAZY(int, PQgetCopyData, (PGconn * c, char** line, int async), (c, line, async))
LAZY(int, PQputCopyData, (PGconn * c, const char* bytes, int size), (c, bytes, size))
LAZY(int, PQputCopyEnd, (PGconn * c, const char* error), (c, error))
LAZY(void, PQfreemem, (void* memory), (memory))

LAZY(PGresult*, PQgetResult, (PGconn * c), (c))
LAZY(void, PQclear, (PGresult * r), (r))
LAZY(ExecStatusType, PQresultStatus, (const PGresult* r), (r))
LAZY(char*, PQresultErrorMessage, (const PGresult* r), (r))
LAZY(char*, PQresultErrorField, (const PGresult* r, int field), (r, field))
LAZY(char*, PQcmdStatus, (PGresult * r), (r))
LAZY(int, PQntuples, (const PGresult* r), (r))
LAZY(int, PQnfields, (const PGresult* r), (r))
LAZY(char*, PQfname, (const PGresult* r, int column), (r, column))
LAZY(Oid, PQftype, (const PGresult* r, int column), (r, column))
LAZY(char*, PQgetvalue, (const PGresult* r, int row, int column), (r, row, column))
LAZY(int, PQgetlength, (const PGresult* r, int row, int column), (r, row, column))
LAZY(int, PQgetisnull, (const PGresult* r, int row, int column), (r, row, column))
