#include "ctl/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "ctl/command_line.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kLabel = 26;

struct Entry {
  std::string label;
  std::string about;
};

// Words of `text` in lines that end before kWidth; all but the first begin with `indent` spaces.
std::string wrapped(std::string_view text, size_t indent) {
  std::string out;
  size_t column = indent;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > indent && column + 1 + word.size() > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      out += " ";
      ++column;
    }
    out += word;
    column += display_width(word);
  }
  return out;
}

// Words as a shell reads them: what is in single quotes is one.
std::vector<std::string> shell_words(std::string_view text) {
  std::vector<std::string> words(1);
  bool quoted = false;
  for (const char c : text) {
    if (c == '\'') quoted = !quoted;
    if (c == ' ' && !quoted) {
      words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  return words;
}

// A command, continued by backslashes where it is too long for a line.
std::string example_text(std::string_view example) {
  constexpr size_t kRoom = kWidth - std::string_view(" \\").size();
  std::string line = " ";
  std::string out;
  for (const auto& word : shell_words(example)) {
    if (display_width(line) + 1 + display_width(word) > kRoom) {
      out += line + " \\\n";
      line = "     ";
    }
    line += " " + word;
  }
  return out + line + "\n";
}

std::string entry_text(const Entry& entry) {
  std::string line = "  " + entry.label;
  if (display_width(line) + 2 > kLabel) {
    line += "\n" + std::string(kLabel, ' ');
  } else {
    line += std::string(kLabel - display_width(line), ' ');
  }
  return line + wrapped(entry.about, kLabel) + "\n";
}

std::string section(std::string_view title, const std::vector<Entry>& entries) {
  if (entries.empty()) return {};
  std::string out = fmt::format("\n{}\n", title);
  for (const auto& entry : entries) out += entry_text(entry);
  return out;
}

Entry entry_of(const Flag& flag) {
  std::string label = flag.short_name.empty() ? "" : "-" + flag.short_name + ", ";
  label += flag.negatable ? "--[no-]" + flag.name : "--" + flag.name;
  if (!flag.value.empty()) label += " " + flag.value;
  std::string about = flag.about;
  // A field's own text may name them already.
  const auto named = [&](const std::string& word) { return about.find(word) != std::string::npos; };
  if (!std::ranges::all_of(flag.words, named)) about += fmt::format(": {}", fmt::join(flag.words, ", "));
  if (flag.type == Flag::Type::list) about += " (repeatable)";
  return {label, about};
}

std::vector<Entry> entries_of(const std::vector<Flag>& flags) {
  std::vector<Entry> entries;
  for (const auto& flag : flags) entries.push_back(entry_of(flag));
  return entries;
}

std::string usage_of(const Verb& verb) {
  std::string usage = "pipekit-ctl " + verb.path;
  for (const auto& positional : verb.positionals) {
    usage += positional.required ? " " + positional.name : " [" + positional.name + "]";
  }
  if (!verb.flags.empty()) usage += " [FLAGS]";
  return usage;
}

std::string group_of(const Verb& verb) { return verb.path.substr(0, verb.path.find(' ')); }
std::string name_of(const Verb& verb) { return verb.path.substr(verb.path.find(' ') + 1); }

// One line a group: "module   list, show, add, ...".
std::vector<Entry> program_entries(const std::vector<Verb>& verbs) {
  std::vector<Entry> entries;
  for (const auto& verb : verbs) {
    if (group_of(verb) == verb.path) {
      entries.push_back({usage_of(verb).substr(12), verb.about});
    } else if (!entries.empty() && entries.back().label == group_of(verb)) {
      entries.back().about += ", " + name_of(verb);
    } else {
      entries.push_back({group_of(verb), name_of(verb)});
    }
  }
  return entries;
}

}  // namespace

std::string program_help(const std::vector<Verb>& verbs) {
  std::string out = "Manage and watch Pipekit: definitions, runs, history and diagnosis.\n";
  out += "\nUsage: pipekit-ctl [FLAGS] VERB ...\n";
  out += section("Verbs", program_entries(verbs));
  out += section("Flags, before or after the verb", entries_of(global_flags()));
  out += section("", {{"-h, --help", "show help for pipekit-ctl or for the given verb"},
                      {"--version", "print the version of pipekit-ctl"}})
             .substr(2);
  out +=
      "\nA flag that takes one value can be given once. After -- there are only\n"
      "arguments, so that a name may begin with a dash.\n"
      "\nWithout --broker and --data-dir the broker is ipc:///run/pipekit/control.sock.\n"
      "Each long flag has a variable: PIPEKIT_BROKER, PIPEKIT_DATA_DIR, PIPEKIT_OUTPUT\n"
      "and so on.\n"
      "\nTo try it\n"
      "  pipekit-ctl up --data-dir /tmp/pk              (in one terminal)\n"
      "  pipekit-ctl --data-dir /tmp/pk apply -f jobs.yaml\n"
      "  pipekit-ctl --data-dir /tmp/pk run orders --watch\n";
  return out;
}

std::string group_help(const std::vector<Verb>& verbs, std::string_view group) {
  std::vector<Entry> entries;
  for (const auto& verb : verbs) {
    if (group_of(verb) == group && verb.path != group) {
      entries.push_back({usage_of(verb).substr(13 + group.size()), verb.about});
    }
  }
  return fmt::format("Usage: pipekit-ctl {} VERB ...\n{}\nFor an example, add --help to a verb.\n", group,
                     section("Verbs", entries));
}

std::string verb_help(const Verb& verb) {
  std::string out = wrapped(verb.about, 0) + "\n";
  if (!verb.more.empty()) out += "\n" + wrapped(verb.more, 0) + "\n";
  out += fmt::format("\nUsage: {}\n", usage_of(verb));
  std::vector<Entry> positionals;
  for (const auto& positional : verb.positionals) positionals.push_back({positional.name, positional.about});
  out += section("Arguments", positionals) + section("Flags", entries_of(verb.flags));
  if (!verb.examples.empty()) out += verb.examples.size() == 1 ? "\nExample\n" : "\nExamples\n";
  for (const auto& example : verb.examples) out += example_text(example);
  return out + "\nFor global flags (-o, --data-dir, --broker, ...) see pipekit-ctl --help.\n";
}

}  // namespace pipekit::ctl
