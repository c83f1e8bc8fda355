#include "shared/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <msgpack.hpp>
#include <type_traits>

#include "shared/utf8.h"

namespace pipekit {
namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxStored = size_t{1} << 30U;  // what this program wrote into its store it has to read again

template <class T>
concept Visitable = requires(T& value) {
  T::visit(value, [](auto&&...) {});
};

template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<Id<Tag>> : std::true_type {};

template <class T>
constexpr size_t field_count() {
  size_t count = 0;
  T value{};
  T::visit(value, [&](auto&&...) { ++count; });
  return count;
}

using Packer = msgpack::packer<msgpack::sbuffer>;

// Everything that is sent can be printed as JSON at the other end, whatever a database or a child process wrote.
void write_text(Packer& out, const std::string& text) {
  if (is_valid_utf8(text)) {
    out.pack(text);
  } else {
    out.pack(to_utf8(text));
  }
}

void write(Packer& out, const Json& json) {
  switch (json.type()) {
    case Json::value_t::object:
      out.pack_map(static_cast<uint32_t>(json.size()));
      for (const auto& [key, value] : json.items()) {
        write_text(out, key);
        write(out, value);
      }
      break;
    case Json::value_t::array:
      out.pack_array(static_cast<uint32_t>(json.size()));
      for (const auto& value : json) write(out, value);
      break;
    case Json::value_t::string:
      write_text(out, json.get_ref<const std::string&>());
      break;
    case Json::value_t::boolean:
      out.pack(json.get<bool>());
      break;
    case Json::value_t::number_integer:
      out.pack(json.get<int64_t>());
      break;
    case Json::value_t::number_unsigned:
      out.pack(json.get<uint64_t>());
      break;
    case Json::value_t::number_float:
      out.pack(json.get<double>());
      break;
    default:
      out.pack_nil();
  }
}

template <class T>
void write(Packer& out, const T& value);

template <class T>
void write(Packer& out, const std::vector<T>& items) {
  out.pack_array(static_cast<uint32_t>(items.size()));
  for (const auto& item : items) write(out, item);
}

template <class T>
void write(Packer& out, const std::optional<T>& value) {
  if (value) {
    write(out, *value);
  } else {
    out.pack_nil();
  }
}

void write(Packer& out, const std::map<std::string, std::string>& map) {
  out.pack_map(static_cast<uint32_t>(map.size()));
  for (const auto& [key, value] : map) {
    write_text(out, key);
    write_text(out, value);
  }
}

// A variant is its alternative under its word: {"step": {...}}.
void write(Packer& out, const FactBody& body) {
  out.pack_map(1);
  out.pack(kFactWords[body.index()]);
  std::visit([&](const auto& alternative) { write(out, alternative); }, body);
}

template <class T>
void write(Packer& out, const T& value) {
  if constexpr (Visitable<T>) {
    out.pack_map(static_cast<uint32_t>(field_count<T>()));
    T::visit(value, [&](const char* name, const auto& member, auto&&...) {
      out.pack(name);
      write(out, member);
    });
  } else if constexpr (IsId<T>::value) {
    out.pack(value.value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    write_text(out, value);
  } else {
    out.pack(value);
  }
}

template <class T>
std::string packed(const T& value) {
  msgpack::sbuffer buffer;
  Packer out(buffer);
  write(out, value);
  return {buffer.data(), buffer.size()};
}

template <class T>
constexpr uint8_t since() {
  if constexpr (requires { T::kSince; }) {
    return T::kSince;
  } else {
    return 1;
  }
}

template <class Variant>
Frames encoded(const Variant& message) {
  const auto version = std::visit([]<class T>(const T&) { return since<T>(); }, message);
  const std::string head{static_cast<char>(version), static_cast<char>(message.index())};
  return {head, std::visit([](const auto& m) { return packed(m); }, message)};
}

// Leaves the decoder at the first wrong field; never leaves this file.
struct Malformed {
  std::string message;
};

const char* type_word(const msgpack::object& object) {
  switch (object.type) {
    case msgpack::type::NIL:
      return "nil";
    case msgpack::type::BOOLEAN:
      return "a boolean";
    case msgpack::type::POSITIVE_INTEGER:
    case msgpack::type::NEGATIVE_INTEGER:
      return "an integer";
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64:
      return "a float";
    case msgpack::type::STR:
      return "a string";
    case msgpack::type::ARRAY:
      return "an array";
    case msgpack::type::MAP:
      return "a map";
    default:
      return "binary";
  }
}

[[noreturn]] void wrong(const char* wanted, const msgpack::object& got) {
  throw Malformed{fmt::format("expected {}, got {}", wanted, type_word(got))};
}

std::string_view text_of(const msgpack::object& in) {
  if (in.type != msgpack::type::STR) wrong("a string", in);
  const std::string_view text{in.via.str.ptr, in.via.str.size};
  if (!is_valid_utf8(text)) throw Malformed{"a string that is not UTF-8"};
  return text;
}

// Fields that can grow, and so have a bound.
template <class T>
inline constexpr bool kGrows =
    std::is_same_v<T, std::string> || std::is_same_v<T, Json> || std::is_same_v<T, std::map<std::string, std::string>>;
template <class T>
inline constexpr bool kGrows<std::vector<T>> = true;
template <class T>
inline constexpr bool kGrows<std::optional<T>> = kGrows<T>;

constexpr Bound kUnbounded{SIZE_MAX, SIZE_MAX};

const msgpack::object* find(const msgpack::object& map, std::string_view name) {
  for (uint32_t i = 0; i < map.via.map.size; ++i) {
    const auto& entry = map.via.map.ptr[i];
    if (entry.key.type == msgpack::type::STR && text_of(entry.key) == name) return &entry.val;
  }
  return nullptr;
}

// From msgpack's objects, which refer to the message's own bytes, into a struct. Bounds hold for what others sent; what
// this program has stored it has to read again, whatever the bounds were then.
class Reader {
 public:
  explicit Reader(bool bounded) : bounded_(bounded) {}

  static void read(const msgpack::object& in, int64_t& out, Bound) {
    if (in.type == msgpack::type::NEGATIVE_INTEGER) {
      out = in.via.i64;
    } else if (in.type == msgpack::type::POSITIVE_INTEGER && in.via.u64 <= static_cast<uint64_t>(INT64_MAX)) {
      out = static_cast<int64_t>(in.via.u64);
    } else {
      wrong("a 64-bit integer", in);
    }
  }

  static void read(const msgpack::object& in, bool& out, Bound) {
    if (in.type != msgpack::type::BOOLEAN) wrong("a boolean", in);
    out = in.via.boolean;
  }

  static void read(const msgpack::object& in, std::string& out, Bound bound) { out = text(in, bound); }

  static void read(const msgpack::object& in, Json& out, Bound bound) {
    size_t left = bound.items;
    read_json(in, out, left);
  }

  template <class T>
  void read(const msgpack::object& in, std::vector<T>& out, Bound bound) const {
    if (in.type != msgpack::type::ARRAY) wrong("an array", in);
    check_items(in.via.array.size, bound);
    out.clear();
    out.reserve(in.via.array.size);
    for (uint32_t i = 0; i < in.via.array.size; ++i) read(in.via.array.ptr[i], out.emplace_back(), bound);
  }

  template <class T>
  void read(const msgpack::object& in, std::optional<T>& out, Bound bound) const {
    if (in.type == msgpack::type::NIL) {
      out.reset();
    } else {
      read(in, out.emplace(), bound);
    }
  }

  static void read(const msgpack::object& in, std::map<std::string, std::string>& out, Bound bound) {
    if (in.type != msgpack::type::MAP) wrong("a map", in);
    check_items(in.via.map.size, bound);
    out.clear();
    for (uint32_t i = 0; i < in.via.map.size; ++i) {
      const auto& entry = in.via.map.ptr[i];
      out[std::string(text(entry.key, bound))] = text(entry.val, bound);
    }
  }

  void read(const msgpack::object& in, FactBody& out, Bound) const {
    if (in.type != msgpack::type::MAP || in.via.map.size != 1) wrong("a map of one fact", in);
    read_alternative(text_of(in.via.map.ptr[0].key), in.via.map.ptr[0].val, out);
  }

  template <class T>
  void read(const msgpack::object& in, T& out, Bound) const {
    if constexpr (IsId<T>::value) {
      read(in, out.value, {});
    } else {
      static_assert(Visitable<T>);
      if (in.type != msgpack::type::MAP) wrong("a map", in);
      T::visit(out, [&]<class Member>(const char* name, Member& member, auto... bound) {
        static_assert(sizeof...(bound) == 1 || !kGrows<Member>, "a text, a list or JSON on the wire needs a bound");
        const auto* value = find(in, name);
        if (value == nullptr) return;
        try {
          read(*value, member, bounded_ ? Bound{bound...} : kUnbounded);
        } catch (Malformed& inner) {
          throw Malformed{fmt::format("{}: {}", name, inner.message)};
        }
      });
    }
  }

 private:
  static std::string_view text(const msgpack::object& in, Bound bound) {
    const auto text = text_of(in);
    if (text.size() <= bound.bytes) return text;
    throw Malformed{fmt::format("a text of {} bytes; {} are allowed", text.size(), bound.bytes)};
  }

  static void check_items(size_t items, Bound bound) {
    if (items <= bound.items) return;
    throw Malformed{fmt::format("{} entries; {} are allowed", items, bound.items)};
  }

  static void take(size_t items, size_t& left) {
    if (items > left) throw Malformed{"more values than are allowed"};
    left -= items;
  }

  static void read_json(const msgpack::object& in, Json& out, size_t& left) {
    switch (in.type) {
      case msgpack::type::NIL:
        out = nullptr;
        break;
      case msgpack::type::BOOLEAN:
        out = in.via.boolean;
        break;
      case msgpack::type::POSITIVE_INTEGER:
        if (in.via.u64 <= static_cast<uint64_t>(INT64_MAX)) {
          out = static_cast<int64_t>(in.via.u64);
        } else {
          out = in.via.u64;
        }
        break;
      case msgpack::type::NEGATIVE_INTEGER:
        out = in.via.i64;
        break;
      case msgpack::type::FLOAT32:
      case msgpack::type::FLOAT64:
        out = in.via.f64;
        break;
      case msgpack::type::STR:
        out = std::string(text_of(in));
        break;
      case msgpack::type::ARRAY: {
        take(in.via.array.size, left);
        auto& list = (out = Json::array()).get_ref<Json::array_t&>();
        list.reserve(in.via.array.size);
        for (uint32_t i = 0; i < in.via.array.size; ++i) read_json(in.via.array.ptr[i], list.emplace_back(), left);
        break;
      }
      case msgpack::type::MAP:
        take(2 * static_cast<size_t>(in.via.map.size), left);
        out = Json::object();
        for (uint32_t i = 0; i < in.via.map.size; ++i) {
          const auto& entry = in.via.map.ptr[i];
          read_json(entry.val, out[std::string(text_of(entry.key))], left);
        }
        break;
      default:
        wrong("a value that JSON has", in);
    }
  }

  template <size_t I = 0>
  void read_alternative(std::string_view word, const msgpack::object& in, FactBody& out) const {
    if constexpr (I == std::variant_size_v<FactBody>) {
      throw Malformed{fmt::format("unknown fact \"{}\"", word)};
    } else if (kFactWords[I] == word) {
      read(in, out.emplace<I>(), {});
    } else {
      read_alternative<I + 1>(word, in, out);
    }
  }

  bool bounded_;
};

// How many items a message of this type has when all its lists are as long as their bounds allow.
template <class T>
struct Items {
  static size_t most(Bound) {
    if constexpr (Visitable<T>) {
      size_t sum = 1;
      T value{};
      T::visit(value, [&]<class Member>(const char*, Member&, auto... bound) {
        sum = std::min(kMostItems, sum + 1 + Items<Member>::most(Bound{bound...}));
      });
      return sum;
    } else {
      return 1;
    }
  }
};
template <>
struct Items<Json> {
  static size_t most(Bound bound) { return bound.items + 1; }
};
template <>
struct Items<std::map<std::string, std::string>> {
  static size_t most(Bound bound) { return 2 * bound.items + 1; }
};
template <class T>
struct Items<std::vector<T>> {
  static size_t most(Bound bound) { return std::min(kMostItems, 1 + bound.items * Items<T>::most(bound)); }
};
template <class T>
struct Items<std::optional<T>> {
  static size_t most(Bound bound) { return Items<T>::most(bound); }
};
template <class... Fact>
struct Items<std::variant<Fact...>> {
  static size_t most(Bound) { return 2 + std::max({Items<Fact>::most({})...}); }
};

constexpr size_t kUnknownItems = 10'000;  // what a newer program may send besides

// Adds up the items that a message claims to have, before memory is allocated for them. Each takes at least a byte, so
// an honest message never claims more than its length. Also reads the fields at the top level of a request.
struct Scan : msgpack::null_visitor {
  Scan(size_t bytes, size_t most) : left(std::min(bytes, most)), most_items(left) {}
  bool claim(size_t items) {
    exceeded = exceeded || items > left;
    left -= std::min(items, left);
    return !exceeded && ++depth <= kMaxDepth;
  }
  bool start_array(uint32_t items) { return claim(items); }
  bool start_map(uint32_t pairs) { return claim(2 * static_cast<size_t>(pairs)); }
  bool end_array() {
    --depth;
    return true;
  }
  bool end_map() { return end_array(); }
  bool start_map_key() {
    if (depth == 1) in_key = true;
    return true;
  }
  bool end_map_key() {
    if (depth == 1) in_key = false;
    return true;
  }
  bool visit_str(const char* text, uint32_t size) {
    if (depth != 1) return true;
    if (in_key) {
      key = {text, size};
    } else if (size <= kLongestWord) {
      if (key == "client") client = {text, size};
      if (key == "user") user = {text, size};
      if (key == "verb") verb = {text, size};
    }
    return true;
  }
  bool visit_positive_integer(uint64_t value) {
    if (depth != 1 || in_key || value > static_cast<uint64_t>(INT64_MAX)) return true;
    if (key == "number") number = static_cast<int64_t>(value);
    if (key == "age_ms") age_ms = static_cast<int64_t>(value);
    return true;
  }

  static constexpr size_t kLongestWord = 200;

  size_t left;
  size_t most_items;
  size_t depth = 0;
  bool exceeded = false;
  bool in_key = false;
  std::string_view key;
  std::string_view client;
  std::string_view user;
  std::string_view verb;
  int64_t number = 0;
  int64_t age_ms = 0;
};

Scan scanned(std::string_view bytes, size_t most) {
  Scan scan(bytes.size(), most);
  size_t offset = 0;
  msgpack::parse(bytes.data(), bytes.size(), offset, scan);  // what else is wrong the unpacking tells
  return scan;
}

bool refer_to_message(msgpack::type::object_type, size_t, void*) { return true; }

template <class T>
Result<T> unpacked(std::string_view bytes, size_t most_bytes, size_t most_items, bool bounded) {
  if (bytes.size() > most_bytes) return Error{ErrorCode::kMalformed, "the message is larger than 16 MiB"};
  if (scanned(bytes, most_items).exceeded) {
    return Error{ErrorCode::kMalformed,
                 fmt::format("it claims more items than it has bytes for, or more than {}", most_items)};
  }
  try {
    const msgpack::unpack_limit limit(most_items, most_items, most_bytes, most_bytes, 0, kMaxDepth);
    size_t offset = 0;
    bool refers = false;
    const auto handle = msgpack::unpack(bytes.data(), bytes.size(), offset, refers, refer_to_message, nullptr, limit);
    if (offset != bytes.size()) return Error{ErrorCode::kMalformed, "bytes follow the message"};
    T value{};
    Reader(bounded).read(handle.get(), value, kUnbounded);
    return value;
  } catch (const Malformed& malformed) {
    return Error{ErrorCode::kMalformed, malformed.message};
  } catch (const msgpack::unpack_error& error) {
    return Error{ErrorCode::kMalformed, fmt::format("not one msgpack value: {}", error.what())};
  }
}

template <class T>
Result<T> received(std::string_view bytes) {
  static const size_t kMost = std::min(kMostItems, Items<T>::most({}) + kUnknownItems);
  return unpacked<T>(bytes, kMaxFrameBytes, kMost, true);
}

template <class T>
Result<T> stored(std::string_view bytes) {
  return unpacked<T>(bytes, kMaxStored, kMostItems, false);
}

template <class Variant, size_t I = 0>
Result<Variant> decoded_as(size_t type, std::string_view body) {
  if constexpr (I == std::variant_size_v<Variant>) {
    return Error{ErrorCode::kMalformed, fmt::format("unknown message type {}", type)};
  } else {
    if (type != I) return decoded_as<Variant, I + 1>(type, body);
    auto message = received<std::variant_alternative_t<I, Variant>>(body);
    if (!message) return message.error();
    return Variant{std::in_place_index<I>, std::move(*message)};
  }
}

template <class Variant>
Result<Variant> decoded(std::string_view head, std::string_view body) {
  if (head.size() != 2) return Error{ErrorCode::kMalformed, "the first frame is not {version, type}"};
  const int version = static_cast<uint8_t>(head[0]);
  if (version < 1 || version > spoken_versions().newest) {
    return Error{ErrorCode::kVersionMismatch,
                 fmt::format("the peer speaks protocol version {}, this program ({}) {}", version, PIPEKIT_VERSION,
                             to_string(spoken_versions())),
                 "upgrade the older side; or install the same version of Pipekit on both"};
  }
  return decoded_as<Variant>(static_cast<uint8_t>(head[1]), body);
}

}  // namespace

Frames encode(const ClientToBroker& message) { return encoded(message); }
Frames encode(const BrokerToClient& message) { return encoded(message); }
Frames encode(const WorkerToBroker& message) { return encoded(message); }
Frames encode(const BrokerToWorker& message) { return encoded(message); }

Result<ClientToBroker> decode_client_to_broker(std::string_view head, std::string_view body) {
  return decoded<ClientToBroker>(head, body);
}
Result<BrokerToClient> decode_broker_to_client(std::string_view head, std::string_view body) {
  return decoded<BrokerToClient>(head, body);
}
Result<WorkerToBroker> decode_worker_to_broker(std::string_view head, std::string_view body) {
  return decoded<WorkerToBroker>(head, body);
}
Result<BrokerToWorker> decode_broker_to_worker(std::string_view head, std::string_view body) {
  return decoded<BrokerToWorker>(head, body);
}

std::string pack(const std::vector<Event>& events) { return packed(events); }
std::string pack(const LogChunk& chunk) { return packed(chunk); }
Result<std::vector<Event>> unpack_events(std::string_view bytes) { return stored<std::vector<Event>>(bytes); }
Result<LogChunk> unpack_log_chunk(std::string_view bytes) { return stored<LogChunk>(bytes); }

RequestHead head_of_request(std::string_view body) {
  const auto scan = scanned(body, kMostItems);
  return {to_utf8(scan.client), scan.number,        scan.age_ms,
          to_utf8(scan.user),   to_utf8(scan.verb), scan.most_items - scan.left};
}

Json to_json(const ModuleSnapshot& snapshot) {
  Json json;
  const auto bytes = packed(snapshot);
  Reader::read(msgpack::unpack(bytes.data(), bytes.size()).get(), json, kUnbounded);
  return json;
}

Result<ModuleSnapshot> module_snapshot_from(const Json& json) { return stored<ModuleSnapshot>(packed(json)); }

}  // namespace pipekit
