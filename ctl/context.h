// What a verb works with: the configuration, stdout, and the broker, to which the first request connects.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/client.h"
#include "ctl/config.h"
#include "ctl/output.h"
#include "ctl/render.h"
#include "shared/clock.h"

namespace pipekit::ctl {

// How a list is shown: columns for people, fields in CSV's order, and what to say when it is empty: when all of it is,
// and when only nothing matches the filters that were given.
struct Listing {
  std::vector<Column> columns;
  std::vector<std::string> fields;
  std::string none;
  std::string none_matching = "";
};

struct Context {
  const Config& config;
  Output& out;
  const Clock& clock;

  // Connects; kUnavailable at once when the data directory does not exist.
  Result<Client*> client();
  Result<Json> call(const std::string& verb, Json args);

  [[nodiscard]] Style style() const { return out.style(clock.wall()); }
  [[nodiscard]] bool for_people() const { return config.format == Format::table; }

  void print_list(const Listing& listing, const Json& rows);
  void print_object(const std::vector<std::string>& order, const Json& object);
  // A line on stderr that is not the result; nothing with --quiet.
  void notice(std::string_view text) const;

  std::unique_ptr<Link> link_{};
  std::unique_ptr<Client> client_{};
};

// Calls and prints, as most verbs do. `args` of a list are its filters.
Result<int> list(Context& context, const std::string& verb, Json args, Listing listing);
Result<int> show(Context& context, const std::string& verb, Json args, const std::vector<std::string>& order);

// Whether what `removed` lists may be removed: yes with --yes; on a terminal the question lists it. Where nobody can be
// asked, kUsage with the list.
Result<bool> confirmed(const std::vector<std::string>& removed, bool yes);

// NAME=VALUE of each --set, as an object.
Result<Json> assignments(const Arguments& args);

// Fields of an answer whose types another version may have changed.
std::string text_in(const Json& object, std::string_view field);
std::optional<int64_t> integer_in(const Json& object, std::string_view field);

}  // namespace pipekit::ctl
