#include "broker/time_zone.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

#include "broker/posix_rule.h"
#include "shared/nearest.h"

namespace pipekit {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::chrono::year kRuleEnds{2300};
constexpr size_t kHeader = 44;
constexpr size_t kLargest = 1 << 20;  // the largest of tzdata has 4 KB

// Big-endian integers of a file whose size has been checked.
template <class Int>
Int big_endian(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(Int); ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return static_cast<Int>(static_cast<std::make_unsigned_t<Int>>(value));
}

struct Header {
  size_t utc_flags, standard_flags, leaps, changes, types, letters;

  [[nodiscard]] size_t body(size_t time_size) const {
    return changes * (time_size + 1) + types * 6 + letters + leaps * (time_size + 4) + standard_flags + utc_flags;
  }
};

std::optional<Header> header_at(std::string_view bytes, size_t at) {
  if (bytes.size() < at + kHeader || bytes.substr(at, 4) != "TZif" || bytes[at + 4] < '2') return std::nullopt;
  const auto count = [&](size_t i) { return size_t{big_endian<uint32_t>(bytes, at + 20 + 4 * i)}; };
  return Header{count(0), count(1), count(2), count(3), count(4), count(5)};
}

class TzifReader {
 public:
  explicit TzifReader(std::string_view bytes) : bytes_(bytes) {}

  // Empty: not such a file.
  std::vector<OffsetChange> read() {
    if (!find_body() || !read_listed() || !read_footer()) return {};
    return std::move(changes_);
  }

 private:
  // The first block is the old one with 32 bits, read by nobody any more.
  bool find_body() {
    const auto old = header_at(bytes_, 0);
    if (bytes_.size() > kLargest || !old) return false;
    const auto second = kHeader + old->body(4);
    const auto found = header_at(bytes_, second);
    if (!found || found->types == 0) return false;
    header_ = *found;
    body_ = second + kHeader;
    return header_.changes <= kLargest && bytes_.size() - body_ >= header_.body(8);
  }

  [[nodiscard]] seconds offset_of(size_t type) const {
    return seconds{big_endian<int32_t>(bytes_, body_ + header_.changes * 9 + type * 6)};
  }

  bool read_listed() {
    changes_.push_back({TimeZone::kBegin, offset_of(0)});
    for (size_t i = 0; i < header_.changes; ++i) {
      const auto type = static_cast<unsigned char>(bytes_[body_ + header_.changes * 8 + i]);
      if (type >= header_.types) return false;
      const sys_seconds at{seconds{big_endian<int64_t>(bytes_, body_ + i * 8)}};
      if (at >= TimeZone::kEnd || (at > TimeZone::kBegin && at <= changes_.back().at)) return false;
      if (at <= TimeZone::kBegin)
        changes_.back().offset = offset_of(type);  // the "Big Bang" of a fat file
      else
        changes_.push_back({at, offset_of(type)});
    }
    return std::ranges::all_of(changes_,
                               [](const auto& change) { return abs(change.offset) < std::chrono::hours{26}; });
  }

  bool read_footer() {
    auto footer = bytes_.substr(body_ + header_.body(8));
    if (footer.size() < 2 || footer.front() != '\n' || footer.back() != '\n') return false;
    footer = footer.substr(1, footer.size() - 2);
    if (footer.empty()) return true;
    const auto rule = PosixRule::parse(footer);
    if (rule) follow(*rule);
    return rule.has_value();
  }

  void follow(const PosixRule& rule) {
    const auto listed = changes_.back().at;
    const auto day = std::chrono::floor<std::chrono::days>(listed);
    // From the epoch on where nothing is listed: earlier rules are nobody's.
    auto year = std::max(std::chrono::year_month_day{day}.year(), std::chrono::year{1970});
    for (; year < kRuleEnds; ++year)
      for (const auto& change : rule.changes(year))
        if (change.at > listed) changes_.push_back(change);
  }

  std::string_view bytes_;
  Header header_{};
  size_t body_ = 0;
  std::vector<OffsetChange> changes_;
};

std::vector<TimeZone::Period> periods_of(const std::vector<OffsetChange>& changes) {
  std::vector<TimeZone::Period> periods;
  for (const auto& change : changes) {
    // Two changes at one instant are the later one (DST all the year).
    while (!periods.empty() && periods.back().begin >= change.at) periods.pop_back();
    if (!periods.empty() && periods.back().offset == change.offset) continue;
    periods.push_back({change.at, TimeZone::kEnd, change.offset});
  }
  for (size_t i = 1; i < periods.size(); ++i) periods[i - 1].end = periods[i].begin;
  return periods;
}

bool well_formed(std::string_view name) {
  const auto allowed = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '+' || c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= 100 && name.front() != '/' && std::ranges::all_of(name, allowed);
}

std::string directory_of(const std::string& given) {
  if (!given.empty()) return given;
  const char* chosen = std::getenv("TZDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/usr/share/zoneinfo";
}

// `localtime` means another zone on each host; posix/ and right/ are the same zones again, the latter with leap
// seconds.
bool portable(std::string_view name) {
  return name != "localtime" && name != "posixrules" && !name.starts_with("posix/") && !name.starts_with("right/");
}

std::vector<std::string> names_in(const std::string& directory) {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator it{directory, error}, end; !error && it != end; it.increment(error)) {
    const auto name = it->path().lexically_relative(directory).string();
    if (it->is_regular_file(error) && name.find('.') == std::string::npos && portable(name)) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

Error not_installed(const std::string& directory) {
  return {ErrorCode::kUnavailable, fmt::format("there is no time zone database in {}", directory),
          "install the package tzdata"};
}

Error unknown_zone(std::string_view name, const std::string& directory) {
  const auto known = names_in(directory);
  if (known.empty()) return not_installed(directory);
  std::string hint = "names are those of tzdata: UTC, America/New_York, Europe/Berlin";
  if (const auto near = nearest(name, known)) hint = fmt::format("did you mean '{}'?", *near);
  return {ErrorCode::kInvalid, fmt::format("'{}' is not a known time zone", name.substr(0, 100)), std::move(hint)};
}

Result<TimeZone> read_zone(std::string_view name, const std::string& directory) {
  if (!well_formed(name) || !portable(name)) return unknown_zone(name, directory);
  const auto path = std::filesystem::path{directory} / name;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return unknown_zone(name, directory);
  std::ifstream file{path, std::ios::binary};
  const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  if (!bytes.starts_with("TZif")) return unknown_zone(name, directory);
  return TimeZone::parse(name, bytes);
}

}  // namespace

TimeZone::TimeZone(std::string name, std::vector<Period> periods)
    : table_(std::make_shared<const Table>(Table{std::move(name), std::move(periods)})) {
  assert(!table_->periods.empty() && table_->periods.front().begin == kBegin && table_->periods.back().end == kEnd);
}

std::shared_ptr<const TimeZone::Table> TimeZone::utc() {
  static const auto table = std::make_shared<const Table>(Table{"UTC", {{kBegin, kEnd, seconds{0}}}});
  return table;
}

Result<TimeZone> TimeZone::parse(std::string_view name, std::string_view bytes) {
  const auto changes = TzifReader{bytes}.read();
  if (changes.empty())
    return Error{ErrorCode::kUnavailable, fmt::format("the time zone file of {} is damaged or of an old version", name),
                 "install the package tzdata again"};
  return TimeZone{std::string{name}, periods_of(changes)};
}

Result<TimeZone> TimeZone::find(std::string_view name, const std::string& directory) {
  if (name == "UTC") return TimeZone{};
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, TimeZone> known;  // bounded by the files that exist
  const std::lock_guard lock{mutex};
  const std::pair key{directory_of(directory), std::string{name}};
  if (const auto found = known.find(key); found != known.end()) return found->second;
  auto zone = read_zone(name, key.first);
  if (zone) known.emplace(key, *zone);
  return zone;
}

size_t TimeZone::index_at(sys_seconds t) const {
  const auto& all = periods();
  const auto after = std::ranges::upper_bound(all, t, {}, &Period::begin);
  return after == all.begin() ? 0 : static_cast<size_t>(after - all.begin()) - 1;
}

std::string to_local_iso(const TimeZone& zone, sys_seconds t) {
  const auto& period = zone.periods()[zone.index_at(t)];
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(abs(period.offset)).count();
  const sys_seconds shown{period.local(t).time_since_epoch()};
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}{}{:02}:{:02}", shown, period.offset < seconds{0} ? '-' : '+', minutes / 60,
                     minutes % 60);
}

}  // namespace pipekit
