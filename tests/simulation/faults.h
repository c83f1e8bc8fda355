// The faults of a world, drawn as time passes: processes die, are suspended and come back; the network is cut and
// healed; clocks are set; disks fill up; servers are slow, end sessions and lose answers.
#pragma once

#include <memory>
#include <vector>

#include "tests/simulation/simulated_broker.h"
#include "tests/simulation/simulated_client.h"
#include "tests/simulation/simulated_worker.h"

namespace pipekit::simulation {

class Faults {
 public:
  Faults(World& world, Network& network, SimulatedBroker& broker,
         std::vector<std::unique_ptr<SimulatedWorker>>& workers, Destinations& destinations,
         std::vector<std::unique_ptr<Tail>>& tails)
      : world_(world),
        network_(network),
        broker_(broker),
        workers_(workers),
        destinations_(destinations),
        tails_(tails) {}

  // `badness`: in a thousand; 0 means no faults.
  void begin(int64_t badness, MonoTime until);
  void heal();

 private:
  void next();
  void strike();
  void strike_broker();
  void strike_worker(SimulatedWorker& worker);
  // At the worst moment: just after this attempt has sent a statement to its destination.
  void strike_attempt(RunKey key);
  void strike_assigned(SimulatedWorker& worker);
  void strike_wire(Wire& wire);
  void set_clock(HostClock& clock);
  void later(MonoTime::duration delay, std::function<void()> what);

  World& world_;
  Network& network_;
  SimulatedBroker& broker_;
  std::vector<std::unique_ptr<SimulatedWorker>>& workers_;
  Destinations& destinations_;
  std::vector<std::unique_ptr<Tail>>& tails_;
  int64_t badness_ = 0;
  MonoTime until_{};
  bool healed_ = false;
};

}  // namespace pipekit::simulation
