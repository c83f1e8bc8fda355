#include "ctl/up.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "ctl/children.h"
#include "ctl/context.h"
#include "ctl/interrupt.h"
#include "ctl/tail.h"

namespace pipekit::ctl {
namespace {

constexpr std::chrono::seconds kStartLimit{30};

// The children of one `up`. Whatever ends this object ends them.
class System {
 public:
  explicit System(const Interrupt& interrupt) : interrupt_(interrupt) {}
  ~System() { end(SIGKILL); }
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  Result<void> start(const std::string& label, const std::vector<std::string>& argv) {
    auto child = Child::start(label, argv);
    if (!child) return child.error();
    children_.push_back(std::move(*child));
    return {};
  }

  // Until the broker answers, a child ends, or a signal comes.
  Result<void> wait_until_ready(Context& context) {
    const Patience patience{std::chrono::seconds{1}, std::chrono::seconds{1}, Millis{1000}};
    auto client = context.client();
    if (!client) return client.error();
    for (const auto until = context.clock.now() + kStartLimit; context.clock.now() < until;) {
      if (auto lost = first_lost()) return *lost;
      if (interrupt_.exit_code()) return {};
      const auto reply = (*client)->exchange("status", Json::object(), patience);
      if (!reply) continue;
      if (reply->error) return to_error(*reply->error);
      if (reply->body.value("/broker/pid"_json_pointer, int64_t{0}) == children_.front().pid()) return {};
      wait_for_news();  // another broker has the store, and ours is about to say so
    }
    return no_answer((*client)->link(), kStartLimit, false);
  }

  // Until that many workers are connected, a child ends, or a signal comes.
  Result<void> wait_for_workers(Context& context, int64_t wanted) {
    auto client = context.client();
    if (!client) return client.error();
    // First the number, then the list: a worker that joins in between is in both, and none is missed.
    const auto last = last_event((*client)->link(), kStartLimit);
    if (!last) return last.error();
    const auto known = (*client)->call("workers.list", Json::object());
    if (!known) return known.error();
    int64_t here = std::ranges::count_if(*known, [](const Json& row) { return row.value("state", "") == "connected"; });
    TailWish wish;
    wish.after = *last;
    wish.filter.kinds = {"worker.joined"};
    Tail tail((*client)->link(), std::move(wish), kStartLimit, [](std::string_view) {});
    while (here < wanted) {
      if (auto lost = first_lost()) return *lost;
      if (interrupt_.exit_code()) return {};
      const auto step = tail.next(context.clock.now() + std::chrono::seconds{1});
      if (!step) return step.error();
      here += static_cast<int64_t>(step->events.size());
    }
    return {};
  }

  // Until a signal arrives (then all are stopped and waited for) or a child exits.
  Result<int> attend() {
    while (!interrupt_.exit_code()) {
      wait_for_news();
      if (auto lost = first_lost(); lost && !interrupt_.exit_code()) {
        end(SIGTERM);
        return *lost;
      }
    }
    return end(SIGTERM);
  }

 private:
  std::optional<Error> first_lost() {
    for (auto& child : children_) {
      if (const auto how = child.ended()) {
        return Error{ErrorCode::kUnexpected, fmt::format("{} {}", child.label(), *how), "see its last messages above"};
      }
    }
    return std::nullopt;
  }

  void wait_for_news() {
    std::vector<pollfd> items = {{interrupt_.fd(), POLLIN, 0}};
    for (const auto& child : children_) items.push_back({child.fd(), POLLIN, 0});
    poll(items.data(), items.size(), -1);
  }

  // Workers first: they report the end of their runs to the broker. 0 if all exited cleanly.
  int end(int signal_number) {
    bool clean = true;
    for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
      child->signal(signal_number);
      child->wait();
      clean = clean && child->clean();
    }
    return clean ? 0 : 1;
  }

  const Interrupt& interrupt_;
  std::vector<Child> children_;
};

Result<void> start_all(System& system, const Context& context, const Arguments& args) {
  const auto& dir = context.config.data_dir;
  const auto broker = find_program("pipekit-broker");
  if (!broker) return broker.error();
  const auto worker = find_program("pipekit-worker");
  if (!worker) return worker.error();
  if (auto ok = system.start("the broker", {*broker, "--data-dir", dir}); !ok) return ok;
  const auto count = args.integer("workers").value_or(1);
  for (int64_t i = 1; i <= count; ++i) {
    const auto name = fmt::format("local-{}", i);
    std::vector<std::string> argv = {*worker, "--name", name, "--data-dir", dir};
    argv.insert(argv.end(), {"--state-dir", (std::filesystem::path(dir) / name).string()});
    // Whoever starts both is operator and worker in one: there is nobody to protect the variables from.
    argv.insert(argv.end(), {"--secret-env", "*"});
    if (const auto slots = args.integer("slots")) argv.insert(argv.end(), {"--slots", std::to_string(*slots)});
    if (auto ok = system.start("worker " + name, argv); !ok) return ok;
  }
  return {};
}

Result<void> prepare(const Context& context, const Arguments& args) {
  if (context.config.data_dir.empty()) {
    return Error{ErrorCode::kUsage, "up: --data-dir DIR is missing", "pipekit-ctl up --data-dir /tmp/pk"};
  }
  for (const auto* flag : {"slots", "workers"}) {
    if (args.has(flag) && args.integer(flag).value_or(0) < 1) {
      return Error{ErrorCode::kUsage, fmt::format("--{} must be a whole number from 1", flag)};
    }
  }
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::create_directories(context.config.data_dir, error)) {
    fs::permissions(context.config.data_dir, fs::perms::owner_all, error);
  }
  if (!error) return {};
  return Error{ErrorCode::kUsage, fmt::format("cannot create {}: {}", context.config.data_dir, error.message())};
}

}  // namespace

Result<int> up(Context& context, const Arguments& args) {
  if (auto prepared = prepare(context, args); !prepared) return prepared.error();
  Interrupt interrupt;
  System system(interrupt);
  if (auto started = start_all(system, context, args); !started) return started.error();
  if (auto ready = system.wait_until_ready(context); !ready) return ready.error();
  if (!interrupt.exit_code()) {
    if (auto here = system.wait_for_workers(context, args.integer("workers").value_or(1)); !here) return here.error();
  }
  if (!interrupt.exit_code()) {
    context.out.write(
        fmt::format("ready: {0}\n  pipekit-ctl --data-dir {0} status\n  Ctrl-C ends it\n", context.config.data_dir));
  }
  return system.attend();
}

}  // namespace pipekit::ctl
