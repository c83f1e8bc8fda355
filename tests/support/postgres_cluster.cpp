#include "tests/support/postgres_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "shared/unique_fd.h"
#include "tests/support/free_port.h"
#include "tests/support/run_program.h"

namespace pipekit::test {
namespace {

constexpr auto kServerUser = "postgres";
constexpr int kStartTimeoutMs = 30'000;

// In memory if there is room: on a busy disk, the files of a cluster take three times as long as its whole start.
std::filesystem::path cluster_parent() {
  constexpr uintmax_t kRoom = 1024ULL * 1024 * 1024;
  std::error_code error;
  const auto space = std::filesystem::space("/dev/shm", error);
  const bool room = !error && space.available >= kRoom && ::access("/dev/shm", W_OK) == 0;
  return room ? "/dev/shm" : std::filesystem::temp_directory_path();
}

std::string server_program(const std::string& name) {
  for (int version = 20; version >= 12; --version) {
    auto path = "/usr/lib/postgresql/" + std::to_string(version) + "/bin/" + name;
    if (std::filesystem::exists(path)) return path;
  }
  return name;
}

// PostgreSQL refuses to run as root. The signal is needed here as well as in the parent: changing the user clears it.
std::vector<std::string> as_server_user(std::vector<std::string> command) {
  if (::geteuid() != 0) return command;
  std::vector<std::string> result{"setpriv",        "--reuid=postgres",    "--regid=postgres",
                                  "--clear-groups", "--pdeathsig=SIGQUIT", "--"};
  result.insert(result.end(), command.begin(), command.end());
  return result;
}

void give_to_server_user(const std::string& path) {
  if (::geteuid() != 0) return;
  const auto* entry = ::getpwnam(kServerUser);
  if (entry == nullptr || ::chown(path.c_str(), entry->pw_uid, entry->pw_gid) != 0) {
    throw std::runtime_error("cannot give " + path + " to the user " + kServerUser);
  }
}

UniqueFd notify_socket(const std::string& path) {
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "bind " + path);
  }
  give_to_server_user(path);
  return fd;
}

}  // namespace

// The postmaster. Its readiness is the sd_notify message that it sends to a service manager.
class PostgresServerProcess {
 public:
  PostgresServerProcess(const std::string& directory, int port, bool durable)
      : notify_(notify_socket(directory + "/notify")),
        program_("sh", shell_arguments(directory, port, durable), {.env = {"NOTIFY_SOCKET=" + directory + "/notify"}}) {
  }

  // Immediate shutdown, because the files are deleted.
  ~PostgresServerProcess() {
    program_.signal(SIGQUIT);
    try {
      program_.wait();
    } catch (const std::exception&) {
      return;  // the wait has killed it
    }
  }
  PostgresServerProcess(const PostgresServerProcess&) = delete;
  PostgresServerProcess& operator=(const PostgresServerProcess&) = delete;

  // False if it ended instead, for example because the port was taken.
  bool wait_until_ready() {
    const UniqueFd exited(static_cast<int>(::syscall(SYS_pidfd_open, program_.pid(), 0)));
    std::array<pollfd, 2> fds{{{notify_.get(), POLLIN, 0}, {exited.get(), POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), kStartTimeoutMs) > 0) {
      if (fds[1].revents != 0) return false;
      std::array<char, 512> message{};
      const auto n = ::recv(notify_.get(), message.data(), message.size(), 0);
      if (n > 0 && std::string_view(message.data(), static_cast<size_t>(n)).find("READY=1") != std::string_view::npos) {
        return true;
      }
    }
    throw std::runtime_error("PostgreSQL was not ready in time");
  }

 private:
  // The shell only redirects and is replaced, so that the child's pid is the postmaster's.
  static std::vector<std::string> shell_arguments(const std::string& directory, int port, bool durable) {
    std::vector<std::string> args{"-c", "exec \"$@\" >>\"$0\" 2>&1", directory + "/log"};
    std::vector<std::string> server{server_program("postgres"), "-D", directory + "/data", "-k", directory, "-p",
                                    std::to_string(port),       "-h", "127.0.0.1"};
    const std::vector<std::string> settings =
        durable ? std::vector<std::string>{"shared_buffers=256MB", "max_wal_size=4GB", "autovacuum=off"}
                : std::vector<std::string>{"fsync=off", "synchronous_commit=off", "full_page_writes=off",
                                           "shared_buffers=32MB", "max_connections=60"};
    for (const auto& setting : settings) server.insert(server.end(), {"-c", setting});
    server = as_server_user(std::move(server));
    args.insert(args.end(), server.begin(), server.end());
    return args;
  }

  UniqueFd notify_;
  RunningProgram program_;
};

PostgresCluster& PostgresCluster::shared() {
  static PostgresCluster cluster;
  return cluster;
}

PostgresCluster::PostgresCluster(const PostgresOptions& options)
    : options_(options), directory_(options.parent.empty() ? cluster_parent() : options.parent) {
  give_to_server_user(directory_.path());
  init_database_files();
  start();
}

PostgresCluster::~PostgresCluster() = default;

void PostgresCluster::init_database_files() {
  const auto password_file = directory_.write("password", password() + "\n");
  give_to_server_user(password_file);
  const auto command = as_server_user({server_program("initdb"), "-D", directory_.file("data"), "-U", user(), "-E",
                                       "UTF8", "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256",
                                       "--pwfile", password_file, "--no-sync", "--no-instructions", "--wal-segsize=4"});
  const auto result = run_program(command.front(), {command.begin() + 1, command.end()}, {.directory = "/"});
  if (result.exit_code != 0) throw std::runtime_error("initdb: " + result.out + result.err);
}

void PostgresCluster::start() {
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = free_port();
    server_ = std::make_unique<PostgresServerProcess>(directory_.path(), port_, options_.durable);
    if (server_->wait_until_ready()) return;
  }
  throw std::runtime_error("PostgreSQL does not start: " + log());
}

std::string PostgresCluster::conninfo(const std::string& database) const {
  return "host=" + socket_dir() + " port=" + std::to_string(port_) + " user=" + user() + " dbname=" + database;
}

std::string PostgresCluster::jdbc_url(const std::string& database) const {
  return "jdbc:postgresql://127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string PostgresCluster::create_database() {
  const auto name = "test" + std::to_string(++databases_);
  PostgresSession(conninfo()).query("CREATE DATABASE " + name + " STRATEGY wal_log");
  return name;
}

PostgresSession::PostgresSession(const std::string& conninfo) : connection_(PQconnectdb(conninfo.c_str())) {
  if (PQstatus(connection_) == CONNECTION_OK) return;
  const std::string message = PQerrorMessage(connection_);
  PQfinish(connection_);
  throw std::runtime_error(message);
}

PostgresSession::~PostgresSession() { PQfinish(connection_); }

int PostgresSession::backend_pid() const { return PQbackendPID(connection_); }

std::vector<PostgresSession::Row> PostgresSession::query(const std::string& sql) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_, sql.c_str()), &PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
    throw std::runtime_error(PQerrorMessage(connection_) + ("in: " + sql));
  }
  std::vector<Row> rows(static_cast<size_t>(PQntuples(result.get())));
  for (int r = 0; r < PQntuples(result.get()); ++r) {
    for (int c = 0; c < PQnfields(result.get()); ++c) {
      auto& cell = rows[static_cast<size_t>(r)].emplace_back();
      if (PQgetisnull(result.get(), r, c) != 0) continue;
      cell.emplace(PQgetvalue(result.get(), r, c), static_cast<size_t>(PQgetlength(result.get(), r, c)));
    }
  }
  return rows;
}

// In a transaction, the activity view is a snapshot unless it is cleared.
void PostgresSession::wait_for_lock_waiter(const std::string& application_name) {
  query(
      "SET statement_timeout = '30s'; DO $$ BEGIN WHILE NOT EXISTS (SELECT 1 FROM pg_stat_activity "
      "WHERE application_name = '" +
      application_name +
      "' AND wait_event_type = 'Lock') LOOP PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002); END LOOP; END $$");
}

std::string PostgresSession::value(const std::string& sql) {
  const auto rows = query(sql);
  if (rows.size() != 1 || rows[0].size() != 1) throw std::runtime_error("not one value: " + sql);
  return rows[0][0].value_or("");
}

}  // namespace pipekit::test
