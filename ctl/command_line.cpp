#include "ctl/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "ctl/config.h"
#include "ctl/help.h"
#include "ctl/render.h"
#include "shared/nearest.h"

namespace pipekit::ctl {
namespace {

constexpr const char* kHelpHint = "pipekit-ctl --help lists the verbs";

// Where CLI11 leaves what it found; addresses are stable while it parses.
struct Slot {
  const Flag* flag = nullptr;
  const Positional* positional = nullptr;
  std::vector<std::string> values;
  bool on = false;
  bool opposite = false;  // of a negatable flag
  CLI::Option* option = nullptr;
};
using Slots = std::vector<std::unique_ptr<Slot>>;

std::string option_names(const Flag& flag) {
  std::string names = flag.short_name.empty() ? "" : "-" + flag.short_name + ",";
  names += "--" + flag.name;
  for (const auto& alias : flag.aliases) names += ",--" + alias;
  return names;
}

void add_opposite(CLI::App& app, const Flag& flag, Slots& slots) {
  auto& slot = *slots.emplace_back(std::make_unique<Slot>());
  slot.flag = &flag;
  slot.opposite = true;
  slot.option = app.add_flag("--no-" + flag.name, slot.on);
}

void add_flag(CLI::App& app, const Flag& flag, Slots& slots) {
  auto& slot = *slots.emplace_back(std::make_unique<Slot>());
  slot.flag = &flag;
  if (flag.type == Flag::Type::on) {
    slot.option = app.add_flag(option_names(flag), slot.on);
    if (flag.negatable) add_opposite(app, flag, slots);
    return;
  }
  slot.option = app.add_option(option_names(flag), slot.values)->allow_extra_args(false);
  slot.option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);  // counted by us
}

void add_positional(CLI::App& app, const Positional& positional, Slots& slots) {
  auto& slot = *slots.emplace_back(std::make_unique<Slot>());
  slot.positional = &positional;
  slot.option = app.add_option(positional.name, slot.values)->expected(1)->allow_extra_args(false);
}

Result<void> check_type(const Flag& flag, const std::string& value) {
  const auto wrong = [&](std::string_view wanted) {
    return Error{ErrorCode::kUsage, fmt::format("--{} must be {}, not \"{}\"", flag.name, wanted, value)};
  };
  if (flag.type == Flag::Type::integer && !parse_integer(value)) return wrong("a whole number");
  if (flag.type == Flag::Type::natural && parse_integer(value).value_or(-1) < 0) return wrong("a whole number from 0");
  if (flag.type == Flag::Type::count && parse_integer(value).value_or(0) < 1) return wrong("a whole number from 1");
  if (flag.type == Flag::Type::seconds && parse_integer(value).value_or(0) <= 0) {
    return wrong("a whole number of seconds from 1");
  }
  if (!flag.words.empty() && std::ranges::find(flag.words, value) == flag.words.end()) {
    auto error = wrong(fmt::format("one of {}", fmt::join(flag.words, ", ")));
    error.hint = did_you_mean(value, flag.words);
    return error;
  }
  return {};
}

Result<void> check_count(const Flag& flag, const std::vector<std::string>& values) {
  if (flag.type == Flag::Type::list || values.size() < 2) return {};
  return Error{ErrorCode::kUsage, fmt::format("--{} is given {} times", flag.name, values.size()),
               "it takes one value: give it once"};
}

Result<void> collect(const Slots& slots, Arguments& out) {
  for (const auto& slot : slots) {
    if (slot->option->count() == 0) continue;
    if (slot->positional != nullptr) {
      out.add(slot->positional->name, slot->values.front());
      continue;
    }
    if (slot->flag->type == Flag::Type::on) {
      if (slot->on) out.add((slot->opposite ? "no-" : "") + slot->flag->name, "true");
      continue;
    }
    if (auto once = check_count(*slot->flag, slot->values); !once) return once;
    for (const auto& value : slot->values) {
      if (auto checked = check_type(*slot->flag, value); !checked) return checked;
      out.add(slot->flag->name, value);
    }
  }
  return {};
}

// Prints our own text wherever CLI11 would print its.
class HelpText final : public CLI::Formatter {
 public:
  explicit HelpText(std::string text) : text_(std::move(text)) {}
  std::string make_help(const CLI::App*, std::string, CLI::AppFormatMode) const override { return text_; }

 private:
  std::string text_;
};

struct Leaf {
  const Verb* verb = nullptr;
  CLI::App* app = nullptr;
  Slots slots;
};

class Parser {
 public:
  explicit Parser(const std::vector<Verb>& verbs) : verbs_(verbs) {
    prepare(root_, program_help(verbs));
    root_.set_version_flag("--version", "pipekit-ctl " PIPEKIT_VERSION);
    for (const auto& flag : global_flags()) add_flag(root_, flag, global_);
    for (const auto& verb : verbs) leaves_.push_back(leaf_of(verb));
  }

  Result<Invocation> parse(std::vector<std::string> args) {
    std::ranges::reverse(args);  // CLI11 takes a vector from its end
    try {
      root_.parse(std::move(args));
    } catch (const CLI::CallForHelp&) {
      return text_answer(deepest().help());
    } catch (const CLI::CallForVersion&) {
      return text_answer("pipekit-ctl " PIPEKIT_VERSION "\n");
    } catch (const CLI::ParseError& error) {
      return explain(error);
    }
    return invocation();
  }

 private:
  static void prepare(CLI::App& app, std::string help) {
    app.formatter(std::make_shared<HelpText>(std::move(help)));
    app.set_help_flag("-h,--help");
    app.fallthrough();
    app.require_subcommand(0, 1);
    app.allow_extras();  // explained by us, with what was probably meant
  }

  Leaf leaf_of(const Verb& verb) {
    const auto space = verb.path.find(' ');
    CLI::App* parent = &root_;
    auto name = verb.path;
    if (space != std::string::npos) {
      parent = group(verb.path.substr(0, space));
      name = verb.path.substr(space + 1);
    }
    Leaf leaf{&verb, parent->add_subcommand(name), {}};
    prepare(*leaf.app, verb_help(verb));
    for (const auto& positional : verb.positionals) add_positional(*leaf.app, positional, leaf.slots);
    for (const auto& flag : verb.flags) add_flag(*leaf.app, flag, leaf.slots);
    return leaf;
  }

  CLI::App* group(const std::string& name) {
    auto*& app = groups_[name];
    if (app == nullptr) {
      app = root_.add_subcommand(name);
      prepare(*app, group_help(verbs_, name));
    }
    return app;
  }

  CLI::App& deepest() {
    CLI::App* app = &root_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return *app;
  }

  static Result<Invocation> text_answer(std::string text) { return Invocation{nullptr, std::move(text), {}, {}}; }

  const Leaf* chosen() {
    const auto* app = &deepest();
    const auto found = std::ranges::find(leaves_, app, [](const Leaf& leaf) { return leaf.app; });
    return found == leaves_.end() ? nullptr : &*found;
  }

  Result<Invocation> invocation() {
    const auto* leaf = chosen();
    auto extras = root_.remaining(true);
    if (const auto mark = std::ranges::find(extras, "--"); mark != extras.end()) extras.erase(mark);  // ends the flags
    if (!extras.empty()) return unknown(extras.front());
    if (leaf == nullptr) return missing_verb();
    Invocation invocation{leaf->verb, {}, {}, {}};
    if (auto ok = collect(global_, invocation.global); !ok) return ok.error();
    if (auto ok = collect(leaf->slots, invocation.arguments); !ok) return ok.error();
    for (const auto& positional : leaf->verb->positionals) {
      if (positional.required && !invocation.arguments.has(positional.name)) return missing(*leaf, positional);
    }
    return invocation;
  }

  static Error missing(const Leaf& leaf, const Positional& positional) {
    return {ErrorCode::kUsage, fmt::format("{}: {} is missing", leaf.verb->path, positional.name),
            fmt::format("pipekit-ctl {} --help shows an example", leaf.verb->path)};
  }

  Error missing_verb() {
    const auto& app = deepest();
    if (&app == &root_) return {ErrorCode::kUsage, "no verb was given", kHelpHint};
    return {ErrorCode::kUsage, fmt::format("{}: which verb?", app.get_name()),
            fmt::format("one of: {}", fmt::join(names_below(app), ", "))};
  }

  static std::vector<std::string> names_below(const CLI::App& app) {
    std::vector<std::string> names;
    for (const auto* sub : app.get_subcommands(nullptr)) names.push_back(sub->get_name());
    return names;
  }

  std::vector<std::string> flags_at(const Leaf* leaf) const {
    std::vector<std::string> names = {"--help", "--version"};
    for (const auto& flag : global_flags()) names.push_back("--" + flag.name);
    if (leaf == nullptr) return names;
    for (const auto& flag : leaf->verb->flags) names.push_back("--" + flag.name);
    return names;
  }

  Error unknown(const std::string& word) {
    const auto* leaf = chosen();
    const std::string place = leaf == nullptr ? deepest().get_name() : leaf->verb->path;
    const std::string prefix = place.empty() ? "" : place + ": ";
    if (word.starts_with("-") && word != "-") {
      const auto name = word.substr(0, word.find('='));
      return {ErrorCode::kUsage, fmt::format("{}unknown flag {}", prefix, name), flag_hint(name, leaf, place)};
    }
    if (leaf != nullptr) {
      return {ErrorCode::kUsage, fmt::format("{}unexpected argument: \"{}\"", prefix, word),
              fmt::format("pipekit-ctl {} --help shows an example", place)};
    }
    return {ErrorCode::kUsage, fmt::format("{}unknown verb \"{}\"", prefix, word), verb_hint(word)};
  }

  [[nodiscard]] std::string flag_hint(const std::string& name, const Leaf* leaf, const std::string& place) const {
    if (const auto near = nearest(name, flags_at(leaf))) return fmt::format("did you mean {}?", *near);
    return fmt::format("pipekit-ctl {} --help lists the flags", place);
  }

  std::string verb_hint(const std::string& word) {
    const auto& app = deepest();
    const auto names = names_below(app);
    const bool at_root = &app == &root_;
    if (const auto near = nearest(word, names)) {
      return fmt::format("did you mean \"{}{}\"?", at_root ? "" : app.get_name() + " ", *near);
    }
    return at_root ? std::string(kHelpHint) : fmt::format("one of: {}", fmt::join(names, ", "));
  }

  Error explain(const CLI::ParseError& error) {
    const auto* leaf = chosen();
    const std::string prefix = leaf == nullptr ? "" : leaf->verb->path + ": ";
    const std::string hint =
        leaf == nullptr ? kHelpHint : fmt::format("pipekit-ctl {} --help shows an example", leaf->verb->path);
    return {ErrorCode::kUsage, prefix + error.what(), hint};
  }

  const std::vector<Verb>& verbs_;
  CLI::App root_;
  Slots global_;
  std::map<std::string, CLI::App*> groups_;
  std::vector<Leaf> leaves_;
};

}  // namespace

const std::vector<Flag>& global_flags() {
  using enum Flag::Type;
  static const std::vector<Flag> kFlags = {
      {"broker", text, "the broker's control endpoint", "ENDPOINT"},
      {"data-dir", text, "use the local system in DIR", "DIR"},
      {"config", text, "read a configuration file (YAML)", "FILE"},
      {"output", text, "output format", "FORMAT", "o", {"table", "json", "yaml", "csv"}},
      {"quiet", on, "print only results and errors, no notices", "", "q"},
      {"verbose", on, "log requests and replies", "", "v"},
      {"log-level", text, "log messages from this level on", "LEVEL", "", log_levels()},
      {"log-file", text, "write the log to FILE instead of stderr", "FILE"},
      {"key-file", text, "your key file, for a broker on another host", "FILE"},
      {"broker-key", text, "that broker's public key", "KEY"},
      {"broker-user", text, "the user that a local broker runs as (pipekit-broker)", "USER"},
      {"timeout", seconds, "wait at most S seconds for the broker (10)", "S"},
  };
  return kFlags;
}

Result<Invocation> parse_command_line(const std::vector<Verb>& verbs, const std::vector<std::string>& args) {
  return Parser(verbs).parse(args);
}

}  // namespace pipekit::ctl
