// A broker that is suspended for longer than a lease and then resumed blames no worker.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/support/local_system.h"

namespace pipekit::test {
namespace {

TEST(BrokerStall, costs_no_worker_its_lease_however_often_it_comes) {
  LocalSystem system;
  for (const auto* name : {"x", "y", "z"}) system.start_worker(name);
  auto& client = system.client();
  for (int i = 0; i < 4; ++i) {
    system.broker().signal(SIGSTOP);
    // Requests wait, too: what wakes it first is not a heartbeat.
    for (int j = 0; j < 10; ++j) client.send(client.next_number(), "status", Json::object());
    const auto last = client.next_number();
    client.send(last, "status", Json::object());
    EXPECT_FALSE(client.hears(last, Millis{2200}));
    system.broker().signal(SIGCONT);
    client.receive(last);
    const auto later = client.next_number();
    EXPECT_FALSE(client.hears(later, Millis{600})) << "never asked: time for leases to end";
  }
  system.events().catch_up();
  for (const auto& event : system.events().seen()) EXPECT_NE(event.kind, "worker.lost") << event.worker;
}

}  // namespace
}  // namespace pipekit::test
