// A verb as data: its name, arguments, help, and the function that does it. The command line and the help are generated
// from these; a verb never sees the parser.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"

namespace pipekit::ctl {

struct Context;

// The command line, by the name of the flag ("merge-key") or positional ("NAME"). Types were checked by the parser.
class Arguments {
 public:
  void add(const std::string& name, std::string value) { values_[name].push_back(std::move(value)); }

  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  // Empty when it was not given.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  [[nodiscard]] std::optional<int64_t> integer(std::string_view name) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

// nullopt unless all of `text` is one decimal number.
std::optional<int64_t> parse_integer(std::string_view text);

struct Flag {
  enum class Type { on, text, integer, natural, count, seconds, list };  // natural: from 0; count, seconds: from 1
  std::string name;                                                      // without the dashes
  Type type = Type::text;
  std::string about;
  std::string value = "";       // the name of its value in the help: "NAME"; decides what completes it (completion.h)
  std::string short_name = "";  // "f"
  std::vector<std::string> words{};    // the only ones allowed
  std::vector<std::string> aliases{};  // other long names, not shown
  bool negatable = false;              // --no-NAME says the opposite
};

struct Positional {
  std::string name;
  std::string about;
  bool required = true;
};

struct Verb {
  std::string path;  // "module add"
  std::string about;
  std::vector<Positional> positionals{};
  std::vector<Flag> flags{};
  std::vector<std::string> examples{};
  std::string more = "";  // a paragraph below the summary
  // The exit code, or what went wrong.
  std::function<Result<int>(Context&, const Arguments&)> run;
};

// Every verb, in the order of the help.
std::vector<Verb> all_verbs();

}  // namespace pipekit::ctl
