#include "shared/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <map>
#include <random>

#include "shared/utf8.h"
#include "tests/protocol/samples.h"

namespace pipekit {
namespace {

using testing::HasSubstr;
using namespace std::string_view_literals;

template <class Variant>
Result<Variant> decode(std::string_view head, std::string_view body);
template <>
Result<ClientToBroker> decode(std::string_view head, std::string_view body) {
  return decode_client_to_broker(head, body);
}
template <>
Result<BrokerToClient> decode(std::string_view head, std::string_view body) {
  return decode_broker_to_client(head, body);
}
template <>
Result<WorkerToBroker> decode(std::string_view head, std::string_view body) {
  return decode_worker_to_broker(head, body);
}
template <>
Result<BrokerToWorker> decode(std::string_view head, std::string_view body) {
  return decode_broker_to_worker(head, body);
}

template <class Variant>
std::string told(const Variant& message) {
  return std::visit([](const auto& m) { return test::told(m); }, message);
}

template <class Variant>
class EveryMessage : public testing::Test {
 protected:
  const std::vector<Variant> samples_ = test::samples<Variant>();
};
using Directions = testing::Types<ClientToBroker, BrokerToClient, WorkerToBroker, BrokerToWorker>;
TYPED_TEST_SUITE(EveryMessage, Directions);

TYPED_TEST(EveryMessage, comes_back_as_it_was_sent) {
  for (const auto& sample : this->samples_) {
    const auto frames = encode(sample);
    const auto back = decode<TypeParam>(frames.head, frames.body);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->index(), sample.index());
    EXPECT_EQ(told(*back), told(sample));
  }
}

TYPED_TEST(EveryMessage, has_no_field_that_the_round_trip_left_at_its_default) {
  for (const auto& sample : this->samples_) {
    std::visit(
        [](const auto& m) {
          const auto plain = test::told_fields(std::decay_t<decltype(m)>{});
          for (const auto& [name, value] : test::told_fields(m)) {
            // The first kind of fact is also the default, but its own fields are not.
            EXPECT_NE(value, plain.at(name)) << name;
          }
        },
        sample);
  }
}

TYPED_TEST(EveryMessage, cut_short_anywhere_is_refused) {
  for (const auto& sample : this->samples_) {
    const auto frames = encode(sample);
    for (size_t size = 0; size < frames.body.size(); ++size) {
      const auto cut = decode<TypeParam>(frames.head, frames.body.substr(0, size));
      ASSERT_FALSE(cut) << "message " << sample.index() << ", " << size << " bytes";
      ASSERT_EQ(cut.error().code, ErrorCode::kMalformed);
    }
  }
}

TYPED_TEST(EveryMessage, with_bytes_behind_it_is_refused) {
  for (const auto& sample : this->samples_) {
    const auto frames = encode(sample);
    const auto longer = decode<TypeParam>(frames.head, frames.body + '\xc0');
    ASSERT_FALSE(longer);
    EXPECT_THAT(longer.error().message, HasSubstr("bytes follow"));
  }
}

TYPED_TEST(EveryMessage, may_have_keys_that_are_not_known_yet) {
  for (const auto& sample : this->samples_) {
    auto frames = encode(sample);
    ASSERT_LT(static_cast<uint8_t>(frames.body[0]), 0x8f) << "a map of less than 15 fields";
    ++frames.body[0];
    frames.body += "\xa8tomorrow\x93\x01\x81\xa1x\x02\xc0";
    const auto back = decode<TypeParam>(frames.head, frames.body);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(told(*back), told(sample));
  }
}

TYPED_TEST(EveryMessage, has_defaults_for_keys_that_are_missing) {
  for (const auto& sample : this->samples_) {
    const auto frames = encode(sample);
    const auto back = decode<TypeParam>(frames.head, "\x80");
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(told(*back), std::visit([](auto m) { return test::told(decltype(m){}); }, sample));
  }
}

TYPED_TEST(EveryMessage, that_is_no_map_is_refused) {
  for (const auto& sample : this->samples_) {
    const auto head = encode(sample).head;
    for (const std::string_view body : {"\xc0", "\x90", "\x01", "\xa1x", "\xc3", "\xc4\x01x", "\xcb????????"}) {
      const auto back = decode<TypeParam>(head, body);
      ASSERT_FALSE(back);
      EXPECT_THAT(back.error().message, HasSubstr("expected a map"));
    }
  }
}

TYPED_TEST(EveryMessage, of_an_unknown_type_or_version_is_refused) {
  const std::string type{1, static_cast<char>(std::variant_size_v<TypeParam>)};
  const auto unknown = decode<TypeParam>(type, "\x80");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(unknown.error().message, HasSubstr("unknown message type"));
  EXPECT_FALSE(decode<TypeParam>("\x01\xff", "\x80"));
  for (const char version : {'\x00', static_cast<char>(spoken_versions().newest + 1), '\xff'}) {
    const auto other = decode<TypeParam>(std::string{version, 0}, "\x80");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, ErrorCode::kVersionMismatch);
    EXPECT_FALSE(other.error().hint.empty());
  }
  for (const std::string_view head : {""sv, "\x01"sv, "\x01\x00\x00"sv}) {
    EXPECT_EQ(decode<TypeParam>(head, "\x80").error().code, ErrorCode::kMalformed);
  }
}

TYPED_TEST(EveryMessage, damaged_at_random_never_does_more_than_be_refused) {
  std::mt19937 random(20'261'120);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  int read = 0;
  for (int i = 0; i < 5000; ++i) {
    auto frames = encode(this->samples_[below(this->samples_.size())]);
    for (size_t changes = 1 + below(4); changes > 0; --changes) {
      frames.body[below(frames.body.size())] = static_cast<char>(below(256));
    }
    if (below(4) == 0) frames.body.erase(below(frames.body.size()), below(20));
    const auto back = decode<TypeParam>(frames.head, frames.body);
    if (!back) {
      ASSERT_EQ(back.error().code, ErrorCode::kMalformed);
      continue;
    }
    ++read;
    const auto again = encode(*back);
    const auto twice = decode<TypeParam>(again.head, again.body);
    ASSERT_TRUE(twice) << "what was accepted once is accepted again: " << twice.error().message;
  }
  EXPECT_GT(read, 100) << "some changes only change a value";
}

// --- bounds

// Visits every field that can grow; `only`: the one that becomes longer than its bound allows.
class Growth {
 public:
  explicit Growth(int only) : only_(only) {}

  template <test::Fields T>
  void walk(T& message) {
    T::visit(message, [&]<class Member>(const char* name, Member& member, auto... bound) {
      constexpr bool kGiven = sizeof...(bound) == 1;
      see<kGiven>(name, member, Bound{bound...});
    });
  }

  [[nodiscard]] int fields() const { return seen_; }
  [[nodiscard]] const std::string& grown() const { return grown_; }
  // Made and refused in a moment; of the others there are a few, each as large as a frame.
  [[nodiscard]] bool small() const { return bound_.items <= 200'000 && bound_.bytes <= 4 * kMiB; }

 private:
  bool is_it(const char* name, Bound bound) {
    if (seen_++ != only_) return false;
    grown_ = name;
    bound_ = bound;
    return small();
  }
  template <bool given>
  void see(const char* name, std::string& text, Bound bound) {
    EXPECT_TRUE(given && bound.bytes > 0) << "the text " << name << " has no bound";
    if (is_it(name, bound)) text.assign(bound.bytes + 1, 'x');
  }
  template <bool given>
  void see(const char* name, Json& json, Bound bound) {
    EXPECT_TRUE(given && bound.items > 0) << "the JSON " << name << " has no bound";
    if (is_it(name, bound)) json = std::vector<int>(bound.items + 1);
  }
  template <bool given>
  void see(const char* name, std::map<std::string, std::string>& map, Bound bound) {
    EXPECT_TRUE(given && bound.items > 0 && bound.bytes > 0) << "the map " << name << " has no bound";
    if (!is_it(name, bound)) return;
    for (size_t i = 0; i <= bound.items; ++i) map[std::to_string(i)];
  }
  template <bool given, class T>
  void see(const char* name, std::vector<T>& list, Bound bound) {
    EXPECT_TRUE(given && bound.items > 0) << "the list " << name << " has no bound";
    if constexpr (std::is_same_v<T, std::string>) {
      EXPECT_GT(bound.bytes, 0U) << "the texts of " << name;
    }
    if constexpr (test::Fields<T>) walk(list.front());
    if (is_it(name, bound)) list.resize(bound.items + 1, list.front());
  }
  template <bool given, class T>
  void see(const char* name, std::optional<T>& value, Bound bound) {
    see<given>(name, *value, bound);
  }
  template <bool>
  void see(const char*, FactBody& body, Bound) {
    std::visit([&](auto& fact) { walk(fact); }, body);
  }
  template <bool, test::Fields T>
  void see(const char*, T& message, Bound) {
    walk(message);
  }
  template <bool, class T>
  void see(const char*, T&, Bound) {}

  int only_;
  int seen_ = 0;
  std::string grown_;
  Bound bound_;
};

TYPED_TEST(EveryMessage, bounds_each_of_its_texts_and_lists_and_refuses_what_exceeds_one) {
  for (const auto& sample : this->samples_) {
    Growth all(-1);
    auto unchanged = sample;
    std::visit([&](auto& message) { all.walk(message); }, unchanged);
    for (int i = 0; i < all.fields(); ++i) {
      Growth growth(i);
      auto grown = sample;
      std::visit([&](auto& message) { growth.walk(message); }, grown);
      if (!growth.small()) continue;
      const auto frames = encode(grown);
      const auto back = decode<TypeParam>(frames.head, frames.body);
      ASSERT_FALSE(back) << growth.grown() << " of message " << sample.index();
      EXPECT_EQ(back.error().code, ErrorCode::kMalformed);
    }
  }
}

TEST(Decoding, names_the_field_that_exceeds_its_bound) {
  Request request;
  request.verb = std::string(201, 'x');
  auto frames = encode(ClientToBroker{request});
  EXPECT_THAT(decode_client_to_broker(frames.head, frames.body).error().message,
              HasSubstr("verb: a text of 201 bytes; 200 are allowed"));
  TailRequest tail;
  tail.filter.kinds.resize(101);
  frames = encode(ClientToBroker{tail});
  EXPECT_THAT(decode_client_to_broker(frames.head, frames.body).error().message,
              HasSubstr("filter: kinds: 101 entries; 100 are allowed"));
}

TEST(HeadOfRequest, is_found_wherever_its_fields_are_and_builds_nothing) {
  Request request;
  request.client = "c";
  request.number = 7;
  request.age_ms = 5;
  request.user = "u";
  request.verb = "diff";
  request.args = {{"verb", "run"}, {"number", 9}, {"list", std::vector<int>(1000)}};
  const auto head = head_of_request(encode(ClientToBroker{request}).body);
  EXPECT_EQ(head.verb, "diff") << "not that of the arguments";
  EXPECT_EQ(head.number, 7);
  EXPECT_EQ(head.client + head.user, "cu");
  EXPECT_EQ(head.age_ms, 5);
  EXPECT_GT(head.items, 1000U);
  EXPECT_EQ(head_of_request("\xc1").number, 0) << "broken";
  EXPECT_EQ(head_of_request(std::string(1'000'000, '\x91')).verb, "") << "nested without end";
}

// --- single fields

const std::string kRequest{1, 0};
const std::string kHello{1, 0};
const std::string kFact{1, 2};

std::string refusal(const auto& result) { return result ? "accepted" : result.error().message; }

TEST(Decoding, names_the_field_of_a_wrong_type) {
  EXPECT_EQ(refusal(decode_client_to_broker(kRequest, "\x81\xa6number\xa1x")),
            "number: expected a 64-bit integer, got a string");
  EXPECT_EQ(refusal(decode_client_to_broker(kRequest, "\x81\xa4verb\x05")), "verb: expected a string, got an integer");
  EXPECT_EQ(refusal(decode_worker_to_broker(kHello,
                                            "\x81\xa8"
                                            "draining\xc0")),
            "draining: expected a boolean, got nil");
  EXPECT_EQ(refusal(decode_worker_to_broker(kHello, "\x81\xa4tags\x80")), "tags: expected an array, got a map");
  EXPECT_EQ(refusal(decode_worker_to_broker(kHello,
                                            "\x81\xa8"
                                            "attempts\x91\x81\xa3run\xc3")),
            "attempts: run: expected a 64-bit integer, got a boolean");
  EXPECT_EQ(refusal(decode_worker_to_broker(kFact,
                                            "\x81\xa4"
                                            "body\x81\xa8progress\x81\xa4rows\xca....")),
            "body: rows: expected a 64-bit integer, got a float");
}

TEST(Decoding, refuses_a_fact_that_is_none_or_several) {
  EXPECT_EQ(refusal(decode_worker_to_broker(kFact,
                                            "\x81\xa4"
                                            "body\x81\xa4what\x80")),
            "body: unknown fact \"what\"");
  EXPECT_EQ(refusal(decode_worker_to_broker(kFact,
                                            "\x81\xa4"
                                            "body\x80")),
            "body: expected a map of one fact, got a map");
  EXPECT_THAT(refusal(decode_worker_to_broker(kFact,
                                              "\x81\xa4"
                                              "body\x82\xa7started\x80\xa7merging\x80")),
              HasSubstr("a map of one fact"));
  EXPECT_THAT(refusal(decode_worker_to_broker(kFact,
                                              "\x81\xa4"
                                              "body\x81\x01\x80")),
              HasSubstr("expected a string"));
}

TEST(Decoding, refuses_a_number_that_is_not_an_int64) {
  const auto beyond = "\x81\xa6number\xcf\x80\0\0\0\0\0\0\0"sv;
  EXPECT_THAT(refusal(decode_client_to_broker(kRequest, beyond)), HasSubstr("number: expected a 64-bit integer"));
  const auto least = "\x81\xa6number\xd3\x80\0\0\0\0\0\0\0"sv;
  const auto accepted = decode_client_to_broker(kRequest, least);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(std::get<Request>(*accepted).number, INT64_MIN);
}

TEST(Decoding, refuses_text_that_is_not_utf8) {
  for (const std::string_view text : {"\xa1\xff", "\xa2\xc0\x80", "\xa3\xed\xa0\x80", "\xa1\xc3"}) {
    EXPECT_EQ(refusal(decode_client_to_broker(kRequest, "\x81\xa4verb" + std::string(text))),
              "verb: a string that is not UTF-8");
    EXPECT_EQ(refusal(decode_client_to_broker(kRequest,
                                              "\x81\xa4"
                                              "args\x81\xa1x" +
                                                  std::string(text))),
              "args: a string that is not UTF-8");
    EXPECT_EQ(refusal(decode_client_to_broker(kRequest,
                                              "\x81\xa4"
                                              "args\x81" +
                                                  std::string(text) + "\x01")),
              "args: a string that is not UTF-8");
  }
}

TEST(Decoding, keeps_zero_bytes_in_text) {
  Request request;
  request.verb = std::string("a\0b", 3);
  const auto frames = encode(ClientToBroker{request});
  EXPECT_EQ(std::get<Request>(*decode_client_to_broker(frames.head, frames.body)).verb, request.verb);
}

TEST(Encoding, repairs_text_that_is_not_utf8_wherever_it_stands) {
  const std::string broken = "caf\xe9";
  Reply reply;
  reply.error = WireError{"invalid", broken, ""};
  reply.body = {{broken, broken}, {"rows", {{broken}}}};
  const auto frames = encode(BrokerToClient{reply});
  const auto back = decode_broker_to_client(frames.head, frames.body);
  ASSERT_TRUE(back) << back.error().message;
  const auto& read = std::get<Reply>(*back);
  EXPECT_EQ(read.error->message, to_utf8(broken));
  EXPECT_EQ(read.body, (Json{{to_utf8(broken), to_utf8(broken)}, {"rows", {{to_utf8(broken)}}}}));
}

// --- hostile sizes

int64_t peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(HostileBytes, that_ask_for_4_GiB_are_refused_without_taking_them) {
  const auto before = peak_kib();
  for (const std::string_view body :
       {"\xdf\xff\xff\xff\xff"sv, "\xdd\xff\xff\xff\xff"sv, "\xdb\xff\xff\xff\xff"sv, "\xc6\xff\xff\xff\xff"sv,
        "\xc9\xff\xff\xff\xff"sv, "\x81\xa4tags\xdd\xff\xff\xff\xff"sv, "\x81\xa4tags\xdd\x00\x0f\xff\xff"sv}) {
    EXPECT_EQ(decode_worker_to_broker(kHello, body).error().code, ErrorCode::kMalformed);
  }
  EXPECT_LT(peak_kib() - before, 4 * 1024);
}

// Each level claims a million items that never arrive: together more than a machine's memory.
TEST(HostileBytes, that_claim_more_items_than_there_are_bytes_are_refused_before_anything_is_made_of_them) {
  const auto level = "\xdd\x00\x0f\xff\xff"sv;
  std::string body =
      "\x81\xa4"
      "args";
  for (int i = 0; i < 25; ++i) body += level;
  EXPECT_THAT(refusal(decode_client_to_broker(kRequest, body)), HasSubstr("claims more items"));
  // Even with the bytes of one level present, the levels add up.
  EXPECT_THAT(refusal(decode_client_to_broker(kRequest, body + std::string(1 << 20, '\xc0'))),
              HasSubstr("claims more items"));
}

TEST(HostileBytes, nested_deeply_are_refused) {
  for (const size_t depth : {32U, 33U, 1000U, 1'000'000U}) {
    const auto nested = decode_client_to_broker(kRequest,
                                                "\x81\xa4"
                                                "args" +
                                                    std::string(depth, '\x91') + "\xc0");
    ASSERT_FALSE(nested) << depth;
    EXPECT_EQ(nested.error().code, ErrorCode::kMalformed);
  }
  EXPECT_TRUE(decode_client_to_broker(kRequest,
                                      "\x81\xa4"
                                      "args" +
                                          std::string(30, '\x91') + "\xc0"));
}

TEST(HostileBytes, over_16_MiB_are_refused_and_up_to_it_are_not) {
  Request request;
  request.args = {{"text", std::string(kMaxFrameBytes - 200, 'x')}};
  auto frames = encode(ClientToBroker{request});
  ASSERT_LE(frames.body.size(), kMaxFrameBytes);
  EXPECT_TRUE(decode_client_to_broker(frames.head, frames.body));
  request.args = {{"text", std::string(kMaxFrameBytes, 'x')}};
  frames = encode(ClientToBroker{request});
  EXPECT_THAT(refusal(decode_client_to_broker(frames.head, frames.body)), HasSubstr("larger than 16 MiB"));
}

TEST(HostileBytes, of_four_million_kinds_of_events_are_refused_without_making_room_for_them) {
  const auto before = peak_kib();
  std::string body =
      "\x81\xa6"
      "filter\x81\xa5kinds\xdd";
  constexpr uint32_t kKinds = 4'000'000;
  for (const int shift : {24, 16, 8, 0}) body += static_cast<char>(kKinds >> static_cast<unsigned>(shift));
  body += std::string(kKinds, '\xa0');
  EXPECT_THAT(refusal(decode_client_to_broker(std::string{1, 1}, body)), HasSubstr("claims more items"));
  EXPECT_LT(peak_kib() - before, 40 * 1024) << "little more than the message";
}

// --- parts stored in the database

TEST(StoredParts, come_back_and_are_refused_when_cut) {
  std::vector<Event> events;
  LogChunk chunk;
  ModuleSnapshot snapshot;
  test::Filler filler;
  filler.fill(events);
  filler.fill(chunk);
  filler.fill(snapshot);
  EXPECT_EQ(test::told(*unpack_events(pack(events))), test::told(events));
  EXPECT_EQ(test::told(*unpack_log_chunk(pack(chunk))), test::told(chunk));
  EXPECT_EQ(test::told(*module_snapshot_from(to_json(snapshot))), test::told(snapshot));
  EXPECT_FALSE(unpack_events(pack(events).substr(1)));
  EXPECT_FALSE(unpack_log_chunk(pack(chunk) + "x"));
  EXPECT_FALSE(module_snapshot_from(Json{{"retries", "many"}}));
}

}  // namespace
}  // namespace pipekit
