#include "tests/simulation/scenario.h"

#include <memory>

#include "tests/simulation/faults.h"
#include "tests/simulation/plan.h"
#include "tests/simulation/promises.h"
#include "tests/simulation/simulated_client.h"

namespace pipekit::simulation {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const std::string kViewerKey = "a.viewer.of.the.simulation.with.40.chars";

class Scenario final : public CommitWatch {
 public:
  Scenario(uint64_t seed, bool tell)
      : world_(seed, tell), network_(world_), plan_(make_plan(world_.random)), broker_(world_, network_, plan_.lease) {
    promises_ = std::make_unique<Promises>(world_, broker_, workers_, plan_.modules, plan_.sessions_of);
    broker_.watch(
        {[this](const auto& frames) { promises_->before_turn(frames); }, [this] { promises_->after_turn(); }});
    for (const auto& name : plan_.servers) {
      destinations_[name] = std::make_unique<Destination>(world_, name, *this);
    }
    for (const auto& module : plan_.modules) {
      destinations_.at(module.connection)->run("CREATE TABLE " + module.name + " (id integer, v text)");
    }
    for (const auto& config : plan_.workers) {
      workers_.push_back(std::make_unique<SimulatedWorker>(world_, network_, destinations_, config));
    }
    for (const auto* name : {"tail 1", "tail 2"}) {
      tails_.push_back(std::make_unique<Tail>(world_, network_, *promises_, name));
    }
  }

  void committed(Session& session, const std::set<std::string>& tables) override {
    promises_->committed(session, tables);
  }

  History play() {
    begin();
    run_for(plan_.duration);
    heal();
    expect_all_final();
    expect_all_run_again();
    finish();
    History history{0, world_.failure(), world_.trace(), world_.counts(), world_.steps()};
    return history;
  }

 private:
  void run_for(MonoTime::duration time) {
    const auto until = world_.now() + time;
    while (world_.step(until)) {
    }
  }

  // False if it has not happened within `limit`.
  template <class Condition>
  bool run_until(Condition condition, MonoTime::duration limit) {
    const auto until = world_.now() + limit;
    while (!condition()) {
      if (!world_.step(until)) return condition();
    }
    return true;
  }

  void begin() {
    broker_.start();
    ask("apply", {{"document", plan_.document}}, minutes{1});
    run_until([this] { return commands_.front()->over(); }, minutes{1});
    ask("keys.allow", {{"name", "viewer"}, {"role", "viewer"}, {"public_key", kViewerKey}}, minutes{1});
    for (const auto& worker : workers_) worker->start(true);
    faults_ = std::make_unique<Faults>(world_, network_, broker_, workers_, destinations_, tails_);
    faults_->begin(plan_.badness, world_.now() + plan_.duration);
    next_command(world_.now() + plan_.duration);
  }

  void next_command(MonoTime until) {
    world_.after(world_.random.millis(1, plan_.pause_ms), [this, until] {
      if (world_.now() >= until) return;
      std::erase_if(commands_, [](const auto& command) { return command->over(); });
      const auto command = plan_.any_command(world_.random, ++commands_made_);
      const auto patience = world_.random.chance(100) ? minutes{20} : MonoTime::duration{seconds{10}};
      const bool viewer = world_.random.chance(100);
      ask(command.first, command.second, patience, viewer ? kViewerKey : "");
      next_command(until);
    });
  }

  void ask(const std::string& verb, const Json& args, MonoTime::duration patience, const std::string& key = {}) {
    Request request;
    request.client = fmt::format("ctl {}", ++clients_);
    request.number = 1;
    request.user = "operator";
    request.verb = verb;
    request.args = args;
    auto done = [this, request, key](const Reply* reply) {
      if (reply == nullptr) return world_.count("requests unanswered");
      world_.count(reply->error ? "requests refused" : "requests accepted");
      if (!key.empty() && (!reply->error || reply->error->code != "refused")) {
        world_.broken(fmt::format("a viewer's {} was not refused", request.verb));
      }
      if (reply->error) {
        promises_->refused(request, *reply->error);
      } else {
        promises_->accepted(request, reply->body);
      }
      last_ = *reply;
    };
    world_.note("{}{} asks {} {}", key.empty() ? "" : "the viewer ", request.client, verb,
                verb == "apply" ? "" : args.dump());
    commands_.push_back(
        std::make_unique<Command>(world_, network_, request, key, std::chrono::floor<Millis>(patience), done));
  }

  void heal() {
    world_.note("everything is healed");
    faults_->heal();
  }

  void expect_all_final() {
    // The schedules would continue for ever.
    for (const auto& group : plan_.groups) ask("group.remove", {{"name", group}}, minutes{10});
    const auto told = [this] {
      return std::ranges::all_of(commands_, [](const auto& command) { return command->over(); });
    };
    run_until(told, minutes{20});  // a drain may have waited for the broker all the time
    for (const auto& worker : plan_.workers) ask("workers.resume", {{"name", worker.name}}, minutes{10});
    const auto quiet = [&] { return told() && broker_.idle() && promises_->all_final(); };
    if (run_until(quiet, plan_.bound)) return;
    world_.broken(fmt::format("{} s after everything was healed there are still: {}",
                              std::chrono::floor<seconds>(plan_.bound).count(), promises_->what_lives()));
  }

  // A run that succeeds shows that a lock is free.
  void expect_all_run_again() {
    run_for(2 * plan_.lease);  // the leases of dead workers, which could be assigned a run until then
    for (const auto& module : plan_.modules) {
      if (world_.failure()) return;
      ask("module.enable", {{"name", module.name}}, minutes{1});
      run_until([this] { return commands_.back()->over(); }, minutes{1});
      last_.reset();
      ask("run", {{"module", module.name}}, minutes{1});
      run_until([this] { return commands_.back()->over(); }, minutes{1});
      if (!last_ || last_->error) {
        return world_.broken(
            fmt::format("{} cannot be run again: {}", module.name, last_ ? last_->error->message : "no answer"));
      }
      again_.push_back(last_->body.value("run_id", int64_t{0}));
    }
    if (!run_until([this] { return promises_->all_final(); }, plan_.bound)) {
      return world_.broken("a run of after the healing has not ended");
    }
    for (const auto run : again_) {
      const auto status = broker_.db().value<std::string>("SELECT status FROM run_log WHERE id = ?", run);
      if (status != "success") {
        const auto error = broker_.db().value<std::string>("SELECT error FROM run_log WHERE id = ?", run);
        world_.broken(fmt::format("run {}, of after the healing, ended in {}: {}", run, status.value_or("nothing"),
                                  error.value_or("")));
      }
    }
  }

  void finish() {
    if (world_.failure()) return;
    run_until([this] { return destinations_quiet(); }, minutes{5});
    promises_->at_end(destinations_);
  }
  bool destinations_quiet() const {
    for (const auto& [name, destination] : destinations_) {
      if (destination->sessions() > 0) return false;
    }
    return true;
  }

  World world_;
  Network network_;
  Plan plan_;
  Destinations destinations_;
  SimulatedBroker broker_;
  std::unique_ptr<Promises> promises_;
  std::vector<std::unique_ptr<SimulatedWorker>> workers_;
  std::vector<std::unique_ptr<Tail>> tails_;
  std::vector<std::unique_ptr<Command>> commands_;
  std::unique_ptr<Faults> faults_;
  std::optional<Reply> last_;
  std::vector<int64_t> again_;
  int64_t clients_ = 0;
  int64_t commands_made_ = 0;
};

}  // namespace

History simulate(uint64_t seed, bool tell) {
  auto history = Scenario(seed, tell).play();
  history.seed = seed;
  return history;
}

std::string replay_command(uint64_t seed) { return fmt::format("script/simulate --seed {} --trace", seed); }

}  // namespace pipekit::simulation
