// The bytes on the wire, one message of every type and one of every fact. They were written from protocol.h by hand,
// not by the codec: hexadecimal, with the text of strings in quotes. A field may be added at the end. Any other change
// here changes what older programs read, and needs a new type instead.
#include <gtest/gtest.h>

#include <set>

#include "shared/codec.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"  // omitted fields keep their defaults

namespace pipekit {
namespace {

// "81 a1 'x' c0" as bytes.
std::string bytes(std::string_view notation) {
  std::string out;
  while (!notation.empty()) {
    if (notation.front() == ' ') {
      notation.remove_prefix(1);
    } else if (notation.front() == '\'') {
      const auto end = notation.find('\'', 1);
      out += notation.substr(1, end - 1);
      notation.remove_prefix(end + 1);
    } else {
      out += static_cast<char>(std::stoi(std::string(notation.substr(0, 2)), nullptr, 16));
      notation.remove_prefix(2);
    }
  }
  return out;
}

const RunKey kKey{{7}, {9}};
const Event kEvent{.seq = 4,
                   .ts = 1'772'330'400'000,
                   .kind = "run.queued",
                   .run_id = 7,
                   .group_run_id = std::nullopt,
                   .module_name = "m",
                   .worker = ""};
const LogChunk kChunk{.first_seq = 5,
                      .ts = 0,
                      .run_id = 7,
                      .group_run_id = std::nullopt,
                      .module_name = "m",
                      .worker = "w1",
                      .lines = {{true, "x"}}};
const ConnectionSnapshot kWarehouse{
    .name = "wh", .driver = "sqlite", .jdbc_url = "", .username = "", .password = "$P", .required_tags = {}};

Assignment sample_assignment() {
  Assignment assignment;
  assignment.key = kKey;
  assignment.heartbeat = 3;
  assignment.dry_run = true;
  assignment.store = "s1";
  assignment.set = {{"a", "1"}};
  assignment.earlier = {{8}};
  assignment.leftovers = {{{6}, {8}}};
  auto& module = assignment.module;
  module.id = 3;
  module.name = module.fence_name = "m";
  module.dest = kWarehouse;
  module.dest_table = "t";
  module.source_query = "q";
  module.merge_strategy = "full";
  module.merge_key = {"id"};
  module.max_shrink_pct = 50;
  module.priority = -1;
  return assignment;
}
const Assignment kAssignment = sample_assignment();

struct Golden {
  const char* name;
  std::variant<ClientToBroker, BrokerToClient, WorkerToBroker, BrokerToWorker> message;
  const char* head;
  const char* body;
};

const std::vector<Golden>& golden() {
  static const std::vector<Golden> kGolden = {
      {"Request",
       ClientToBroker{
           Request{.client = "c1", .number = 1, .age_ms = 300, .user = "me", .verb = "run", .args = {{"module", "m"}}}},
       "01 00",
       "86 a6 'client' a2 'c1' a6 'number' 01 a6 'age_ms' cd 01 2c a4 'user' a2 'me' a4 'verb' a3 'run' a4 "
       "'args' 81 a6 'module' a1 'm'"},
      {"TailRequest",
       ClientToBroker{
           TailRequest{.number = 2, .after = 70000, .follow = false, .filter = {.run_id = 7, .kinds = {"run.log"}}}},
       "01 01",
       "84 a6 'number' 02 a5 'after' ce 00 01 11 70 a6 'follow' c2 a6 'filter' 84 a6 'run_id' 07 ac "
       "'group_run_id' c0 ab 'module_name' a0 a5 'kinds' 91 a7 'run.log'"},
      {"Reply", BrokerToClient{Reply{.number = 1, .error = WireError{"invalid", "no", ""}, .body = nullptr}}, "01 00",
       "83 a6 'number' 01 a5 'error' 83 a4 'code' a7 'invalid' a7 'message' a2 'no' a4 'hint' a0 a4 'body' "
       "c0"},
      {"TailReply", BrokerToClient{TailReply{.number = 2, .next = 5, .last = 6, .events = {kEvent}, .logs = {kChunk}}},
       "01 01",
       "85 a6 'number' 02 a4 'next' 05 a4 'last' 06 a6 'events' 91 88 a3 'seq' 04 a2 'ts' cf 00 00 01 9c a7 "
       "1f b9 00 a4 'kind' aa 'run.queued' a6 'run_id' 07 ac 'group_run_id' c0 ab 'module_name' a1 'm' a6 "
       "'worker' a0 a6 'fields' 80 a4 'logs' 91 87 a9 'first_seq' 05 a2 'ts' 00 a6 'run_id' 07 ac "
       "'group_run_id' c0 ab 'module_name' a1 'm' a6 'worker' a2 'w1' a5 'lines' 91 82 a3 'err' c3 a4 'text' "
       "a1 'x'"},
      {"BrokerLeaving", BrokerToClient{BrokerLeaving{}}, "01 02", "80"},
      {"Hello",
       WorkerToBroker{Hello{.name = "w1",
                            .incarnation = "i",
                            .state_id = "s",
                            .version = "0.1.0",
                            .host = "h",
                            .slots = 4,
                            .tags = {"t"},
                            .last_assignment = {9},
                            .attempts = {kKey},
                            .protocol = {1, 2},
                            .drivers = {"sqlite"}}},
       "01 00",
       "8d a4 'name' a2 'w1' ab 'incarnation' a1 'i' a8 'state_id' a1 's' a7 'version' a5 '0.1.0' a4 'host' "
       "a1 'h' a5 'slots' 04 a8 'draining' c2 a4 'tags' 91 a1 't' af 'last_assignment' 09 a8 'attempts' 91 "
       "82 a3 'run' 07 a5 'epoch' 09 af 'protocol_oldest' 01 af 'protocol_newest' 02 a7 'drivers' 91 a6 "
       "'sqlite'"},
      {"Heartbeat", WorkerToBroker{Heartbeat{.number = 3, .draining = true, .last_assignment = {9}, .attempts = {}}},
       "01 01", "84 a6 'number' 03 a8 'draining' c3 af 'last_assignment' 09 a8 'attempts' 90"},
      {"Fact_refused", WorkerToBroker{Fact{kKey, 1, fact::Refused{{"refused", "late", ""}}}}, "01 02",
       "83 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 01 a4 'body' 81 a7 'refused' 81 a5 'error' 83 a4 "
       "'code' a7 'refused' a7 'message' a4 'late' a4 'hint' a0"},
      {"Fact_started", WorkerToBroker{Fact{kKey, 1, fact::Started{200}}}, "01 02",
       "83 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 01 a4 'body' 81 a7 'started' 81 a2 'at' cc c8"},
      {"Fact_step", WorkerToBroker{Fact{kKey, 2, fact::Step{200, "claim", ""}}}, "01 02",
       "83 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 02 a4 'body' 81 a4 'step' 83 a2 'at' cc c8 a4 "
       "'step' a5 'claim' a6 'detail' a0"},
      {"Fact_log", WorkerToBroker{Fact{kKey, 3, fact::Log{200, {{false, "x"}}}}}, "01 02",
       "83 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 03 a4 'body' 81 a3 'log' 82 a2 'at' cc c8 a5 "
       "'lines' 91 82 a3 'err' c2 a4 'text' a1 'x'"},
      {"Fact_progress", WorkerToBroker{Fact{kKey, 4, fact::Progress{200, 1000, "1 %"}}}, "01 02",
       "83 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 04 a4 'body' 81 a8 'progress' 83 a2 'at' cc c8 a4 "
       "'rows' cd 03 e8 a4 'line' a3 '1 %'"},
      {"Fact_merging", WorkerToBroker{Fact{kKey, 5, fact::Merging{200}}}, "01 02",
       "83 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 05 a4 'body' 81 a7 'merging' 81 a2 'at' cc c8"},
      {"Fact_finished",
       WorkerToBroker{Fact{kKey, 6,
                           fact::Finished{.at = 200,
                                          .status = "success",
                                          .outcome = "merged",
                                          .error = std::nullopt,
                                          .row_count = 1000,
                                          .fence_epoch = {},
                                          .resolved_source_sql = "q",
                                          .merge_sql = "",
                                          .watermark_values_json = "{}",
                                          .jrunner_stdout = "",
                                          .jrunner_stderr = "",
                                          .hook_log = "",
                                          .steps = {{"claim", 200, 3}},
                                          .hooks_failed = 2}}},
       "01 02",
       "83 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 06 a4 'body' 81 a8 'finished' de 00 11 a2 'at' cc c8 a6 "
       "'status' a7 'success' a7 'outcome' a6 'merged' a9 'retryable' c3 af 'staging_dropped' c3 a5 'error' "
       "c0 a9 'row_count' cd 03 e8 ab 'fence_epoch' 00 b3 'resolved_source_sql' a1 'q' a9 'merge_sql' a0 b5 "
       "'watermark_values_json' a2 '{}' ae 'jrunner_stdout' a0 ae 'jrunner_stderr' a0 a8 'hook_log' a0 a5 'steps' 91 "
       "83 a4 'step' a5 'claim' a2 'at' cc c8 ab 'duration_ms' 03 a9 'defaulted' 90 ac 'hooks_failed' 02"},
      {"TaskResult", WorkerToBroker{TaskResult{.id = 1, .error = std::nullopt, .body = {{"ok", true}}}}, "01 03",
       "83 a2 'id' 01 a5 'error' c0 a4 'body' 81 a2 'ok' c3"},
      {"Goodbye", WorkerToBroker{Goodbye{}}, "01 04", "80"},
      {"Welcome",
       BrokerToWorker{Welcome{.lease_ms = 60'000, .heartbeat_ms = 10'000, .version = "0.1.0", .protocol = 2}}, "01 00",
       "84 a8 'lease_ms' cd ea 60 ac 'heartbeat_ms' cd 27 10 a7 'version' a5 '0.1.0' a8 'protocol' 02"},
      {"HelloRefused", BrokerToWorker{HelloRefused{{"name_in_use", "m", "h"}}}, "01 01",
       "81 a5 'error' 83 a4 'code' ab 'name_in_use' a7 'message' a1 'm' a4 'hint' a1 'h'"},
      {"HelloWanted", BrokerToWorker{HelloWanted{}}, "01 02", "80"},
      {"HeartbeatAck", BrokerToWorker{HeartbeatAck{3}}, "01 03", "81 a6 'number' 03"},
      {"FactAck", BrokerToWorker{FactAck{kKey, 5}}, "01 04", "82 a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a3 'seq' 05"},
      {"Assignment", BrokerToWorker{kAssignment}, "01 05",
       "8c a3 'key' 82 a3 'run' 07 a5 'epoch' 09 a9 'heartbeat' 03 a9 'reconcile' c2 a7 'dry_run' c3 a5 "
       "'store' a2 's1' a3 'set' 81 a1 'a' a1 '1' a7 'earlier' 91 08 a9 'leftovers' 91 82 a3 'run' 06 a5 "
       "'epoch' 08 ae 'claim_limit_ms' cd ea 60 b1 'row_count_pattern' a0 a6 'module' de 00 14 a2 'id' 03 a4 "
       "'name' a1 'm' aa 'fence_name' a1 'm' a6 'source' 89 a4 'name' a0 a6 'driver' a0 a8 'jdbc_url' a0 a8 "
       "'username' a0 a8 'password' a0 a5 'fence' a4 'auto' a9 'read_only' c3 ac 'max_sessions' 00 ad 'required_tags' "
       "90 a4 "
       "'dest' 89 a4 'name' a2 'wh' a6 'driver' a6 'sqlite' a8 'jdbc_url' a0 a8 'username' a0 a8 'password' "
       "a2 '$P' a5 'fence' a4 'auto' a9 'read_only' c3 ac 'max_sessions' 00 ad 'required_tags' 90 aa 'dest_table' a1 "
       "'t' ac "
       "'source_query' a1 'q' ae 'merge_strategy' a4 'full' a9 'merge_key' 91 a2 'id' aa 'unique_key' c2 a8 "
       "'truncate' c2 ac 'merge_method' a7 'replace' a7 'retries' 00 af 'retry_backoff_s' 1e a9 'timeout_s' 00 a8 "
       "'min_rows' c0 ae "
       "'max_shrink_pct' 32 a8 'priority' ff aa 'watermarks' 90 a5 'hooks' 90 b4 'module_has_succeeded' c2"},
      {"CancelAttempt", BrokerToWorker{CancelAttempt{kKey}}, "01 06", "81 a3 'key' 82 a3 'run' 07 a5 'epoch' 09"},
      {"KillAttempt", BrokerToWorker{KillAttempt{kKey}}, "01 07", "81 a3 'key' 82 a3 'run' 07 a5 'epoch' 09"},
      {"Task",
       BrokerToWorker{Task{.id = 1,
                           .kind = "test",
                           .connection = kWarehouse,
                           .module = std::nullopt,
                           .table = "",
                           .set = {},
                           .max_rows = 10}},
       "01 08",
       "89 a2 'id' 01 a4 'kind' a4 'test' aa 'connection' 89 a4 'name' a2 'wh' a6 'driver' a6 'sqlite' a8 "
       "'jdbc_url' a0 a8 'username' a0 a8 'password' a2 '$P' a5 'fence' a4 'auto' a9 'read_only' c3 ac 'max_sessions' "
       "00 ad "
       "'required_tags' 90 a6 'module' c0 a5 'table' a0 a3 'set' 80 a8 'max_rows' 0a a5 'store' a0 aa "
       "'from_store' a0"},
      {"BrokerLeaving_to_worker", BrokerToWorker{BrokerLeaving{}}, "01 09", "80"},
      {"DropTask", BrokerToWorker{DropTask{.id = 1}}, "02 0a", "81 a2 'id' 01"},
  };
  return kGolden;
}

class GoldenBytes : public testing::TestWithParam<Golden> {};

TEST_P(GoldenBytes, are_what_is_sent) {
  const auto frames = std::visit([](const auto& direction) { return encode(direction); }, GetParam().message);
  EXPECT_EQ(frames.head, bytes(GetParam().head));
  EXPECT_EQ(frames.body, bytes(GetParam().body));
}

INSTANTIATE_TEST_SUITE_P(EveryType, GoldenBytes, testing::ValuesIn(golden()),
                         [](const auto& sample) { return std::string(sample.param.name); });

TEST(GoldenBytes, cover_every_type_of_every_direction) {
  std::set<std::pair<size_t, size_t>> seen;
  std::set<size_t> facts;
  for (const auto& sample : golden()) {
    const auto type = std::visit([](const auto& direction) { return direction.index(); }, sample.message);
    seen.insert({sample.message.index(), type});
    if (const auto* fact = std::get_if<2>(&sample.message); fact != nullptr && std::holds_alternative<Fact>(*fact)) {
      facts.insert(std::get<Fact>(*fact).body.index());
    }
  }
  EXPECT_EQ(seen.size(), std::variant_size_v<ClientToBroker> + std::variant_size_v<BrokerToClient> +
                             std::variant_size_v<WorkerToBroker> + std::variant_size_v<BrokerToWorker>);
  EXPECT_EQ(facts.size(), std::variant_size_v<FactBody>);
}

}  // namespace
}  // namespace pipekit
