#include "broker/settings.h"

#include <fmt/format.h>

#include <charconv>

#include "shared/pattern.h"

namespace pipekit {
namespace {

struct Setting {
  const char* key;
  const char* description;
  int64_t Settings::*number;
  std::string Settings::*text;
  int64_t least;
  int64_t most;
};

constexpr int64_t kMostRows = 1'000'000'000;

constexpr Setting kSettings[] = {
    {"log_head_bytes", "bytes kept from the start of each run's log", &Settings::log_head_bytes, nullptr, 0, 1 << 30},
    {"log_tail_bytes", "bytes kept from the end of each run's log", &Settings::log_tail_bytes, nullptr, 1024, 1 << 30},
    {"claim_limit_s", "seconds that a run waits for an earlier merge that is still in progress",
     &Settings::claim_limit_s, nullptr, 1, 86'400},
    {"row_count_pattern", "regular expression with one group for the runner's row count; empty: the built-in one",
     nullptr, &Settings::row_count_pattern, 0, 0},
    {"runs_keep_days", "remove runs and group runs after this many days; 0 keeps them", &Settings::runs_keep_days,
     nullptr, 0, 36'500},
    {"runs_keep", "keep at most this many runs, newest first; 0 keeps all", &Settings::runs_keep, nullptr, 0,
     kMostRows},
    {"events_keep_days", "remove events and log lines after this many days; 0 keeps them", &Settings::events_keep_days,
     nullptr, 0, 36'500},
    {"events_keep", "keep at most this many events and log lines, newest first; 0 keeps all", &Settings::events_keep,
     nullptr, 0, kMostRows},
    {"ledger_keep_days", "remove the results of scheduled times after this many days; 0 keeps them",
     &Settings::ledger_keep_days, nullptr, 0, 36'500},
    {"ledger_keep", "keep at most this many results per schedule, newest first; 0 keeps all", &Settings::ledger_keep,
     nullptr, 0, kMostRows},
    {"audit_keep_days", "remove audit entries after this many days; 0 keeps them", &Settings::audit_keep_days, nullptr,
     0, 36'500},
    {"audit_keep", "keep at most this many audit entries, newest first; 0 keeps all", &Settings::audit_keep, nullptr, 0,
     kMostRows},
    {"workers_keep_days", "forget workers that left or were lost after this many days; 0 keeps them",
     &Settings::workers_keep_days, nullptr, 0, 36'500},
};

std::string text_of(const Setting& setting, const Settings& values) {
  return setting.number != nullptr ? std::to_string(values.*setting.number) : values.*setting.text;
}

Json described(const Setting& setting, const Settings& values) {
  return {{"key", setting.key},
          {"value", text_of(setting, values)},
          {"default", text_of(setting, Settings{})},
          {"description", setting.description}};
}

Result<const Setting*> find(const std::string& key) {
  std::string known;
  for (const auto& setting : kSettings) {
    if (setting.key == key) return &setting;
    known += known.empty() ? setting.key : fmt::format(", {}", setting.key);
  }
  return Error{ErrorCode::kNotFound, fmt::format("there is no setting \"{}\"", key), "settings are: " + known};
}

Result<std::string> checked_pattern(const Setting& setting, const std::string& text) {
  if (text.empty()) return text;
  const auto pattern = Pattern::compile(text);
  if (pattern) return text;
  return Error{ErrorCode::kInvalid, fmt::format("setting {}: {}", setting.key, pattern.error().message),
               pattern.error().hint};
}

// The value as text, checked.
Result<std::string> checked(const Setting& setting, const Json& value) {
  const auto text = value.is_string() ? value.get<std::string>() : value.dump();
  if (setting.number == nullptr) return checked_pattern(setting, text);
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
  if (!whole || number < setting.least || number > setting.most) {
    return Error{ErrorCode::kInvalid, fmt::format("setting {}: \"{}\" is not a whole number from {} to {}", setting.key,
                                                  text, setting.least, setting.most)};
  }
  return text;
}

void assign(Settings& values, const std::string& key, const std::string& text) {
  for (const auto& setting : kSettings) {
    if (setting.key != key) continue;
    if (setting.number != nullptr) {
      std::from_chars(text.data(), text.data() + text.size(), values.*setting.number);
    } else {
      values.*setting.text = text;
    }
  }
}

}  // namespace

Settings load_settings(store::Database& db) {
  Settings values;
  auto rows = db.query("SELECT key, value FROM settings");
  while (rows.next()) assign(values, rows.get<std::string>(0), rows.get<std::string>(1));
  return values;
}

Json list_settings(store::Database& db) {
  const auto values = load_settings(db);
  auto list = Json::array();
  for (const auto& setting : kSettings) list.push_back(described(setting, values));
  return list;
}

Result<Json> get_setting(store::Database& db, const std::string& key) {
  const auto setting = find(key);
  if (!setting) return setting.error();
  return described(**setting, load_settings(db));
}

Result<Json> set_setting(store::Database& db, const std::string& key, const Json& value) {
  const auto setting = find(key);
  if (!setting) return setting.error();
  const auto text = checked(**setting, value);
  if (!text) return text.error();
  db.run("INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key,
         *text);
  return get_setting(db, key);
}

}  // namespace pipekit
