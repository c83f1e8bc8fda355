// Messages with every field set to something other than its default, and their fields as text, for comparison. Both are
// generated from visit(), without the codec.
#pragma once

#include <fmt/format.h>

#include <concepts>

#include "shared/protocol.h"

namespace pipekit::test {

template <class T>
concept Fields = requires(T& value) {
  T::visit(value, [](auto&&...) {});
};

class Filler {
 public:
  explicit Filler(size_t fact = 0) : fact_(fact) {}

  void fill(int64_t& value) { value = ++last_ * 1'000'003; }
  void fill(bool& value) { value = !value; }
  void fill(std::string& value) { value = fmt::format("text {} é", ++last_); }
  void fill(Json& value) {
    value = {{"n", ++last_}, {"f", 0.5}, {"list", {true, nullptr, "ü", -1}}, {"big", UINT64_MAX}};
  }
  void fill(std::map<std::string, std::string>& value) {
    for (const auto* key : {"a", "b"}) fill(value[key]);
  }
  template <class Tag>
  void fill(Id<Tag>& id) {
    fill(id.value);
  }
  template <class T>
  void fill(std::vector<T>& items) {
    items.resize(2);
    for (auto& item : items) fill(item);
  }
  template <class T>
  void fill(std::optional<T>& value) {
    fill(value.emplace());
  }
  void fill(FactBody& body) { emplace<0>(body); }
  template <Fields T>
  void fill(T& message) {
    T::visit(message, [&](const char*, auto& field, auto...) { fill(field); });
  }

 private:
  template <size_t I>
  void emplace(FactBody& body) {
    if (I == fact_) return fill(body.emplace<I>());
    if constexpr (I + 1 < std::variant_size_v<FactBody>) emplace<I + 1>(body);
  }
  size_t fact_;
  int64_t last_ = 0;
};

inline std::string told(int64_t value) { return std::to_string(value); }
inline std::string told(bool value) { return value ? "true" : "false"; }
inline std::string told(const std::string& value) { return '"' + value + '"'; }
inline std::string told(const Json& value) { return value.dump(); }
inline std::string told(const std::map<std::string, std::string>& value) { return Json(value).dump(); }
template <class Tag>
std::string told(const Id<Tag>& id) {
  return told(id.value);
}
template <class T>
std::string told(const std::vector<T>& items);
template <class T>
std::string told(const std::optional<T>& value);
inline std::string told(const FactBody& body);
template <Fields T>
std::string told(const T& message);

template <Fields T>
std::map<std::string, std::string> told_fields(const T& message) {
  std::map<std::string, std::string> fields;
  T::visit(message, [&](const char* name, const auto& field, auto...) { fields[name] = told(field); });
  return fields;
}
template <Fields T>
std::string told(const T& message) {
  std::string text = "{";
  for (const auto& [name, value] : told_fields(message)) text += fmt::format("{}: {}, ", name, value);
  return text + "}";
}
template <class T>
std::string told(const std::vector<T>& items) {
  std::string text = "[";
  for (const auto& item : items) text += told(item) + ", ";
  return text + "]";
}
template <class T>
std::string told(const std::optional<T>& value) {
  return value ? told(*value) : "none";
}
inline std::string told(const FactBody& body) {
  return fmt::format("{} {}", body.index(), std::visit([](const auto& fact) { return told(fact); }, body));
}

// One message of every type of a direction; for Fact, one for every kind of fact.
template <class Variant, size_t I = 0>
void add_samples(std::vector<Variant>& samples) {
  if constexpr (I < std::variant_size_v<Variant>) {
    using Message = std::variant_alternative_t<I, Variant>;
    const size_t kinds = std::is_same_v<Message, Fact> ? std::variant_size_v<FactBody> : 1;
    for (size_t kind = 0; kind < kinds; ++kind) {
      Filler(kind).fill(std::get<I>(samples.emplace_back(std::in_place_index<I>)));
    }
    add_samples<Variant, I + 1>(samples);
  }
}

template <class Variant>
std::vector<Variant> samples() {
  std::vector<Variant> all;
  add_samples(all);
  return all;
}

}  // namespace pipekit::test
