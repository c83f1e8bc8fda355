// What a verb works with: the configuration, stdout, and the broker, which is connected to when first asked.
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

// How a list is shown: columns for people, fields in CSV's order, and what to say when there is nothing.
struct Listing {
  std::vector<Column> columns;
  std::vector<std::string> fields;
  std::string none;
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
  // Not the result: a line on stderr, unless --quiet.
  void notice(std::string_view text) const;

  std::unique_ptr<Link> link_{};
  std::unique_ptr<Client> client_{};
};

// Calls and prints: what most verbs are.
Result<int> list(Context& context, const std::string& verb, Json args, const Listing& listing);
Result<int> show(Context& context, const std::string& verb, Json args, const std::vector<std::string>& order);

// Asks on a terminal, where --yes was not given; elsewhere the answer is yes.
bool confirmed(const std::string& question, bool yes);

// Fields of an answer whose types another version may have changed.
std::string text_in(const Json& object, std::string_view field);
std::optional<int64_t> integer_in(const Json& object, std::string_view field);

}  // namespace pipekit::ctl
