// help, version: what --help and --version print, for those who type a verb.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ctl/command_line.h"
#include "ctl/context.h"
#include "ctl/verbs.h"

namespace pipekit::ctl {
namespace {

Result<int> print_answer(Context& context, const std::vector<std::string>& words) {
  const auto verbs = all_verbs();
  const auto invocation = parse_command_line(verbs, words);
  if (!invocation) return invocation.error();
  context.out.write(invocation->text);
  return 0;
}

Result<int> help(Context& context, const Arguments& args) {
  std::vector<std::string> words;
  for (const auto* name : {"VERB", "WORD"}) {
    if (args.has(name)) words.push_back(args.text(name));
  }
  const auto path = fmt::format("{}", fmt::join(words, " "));
  const auto verbs = all_verbs();
  const bool known = words.empty() || std::ranges::any_of(verbs, [&](const Verb& verb) {
                       return verb.path == path || verb.path.starts_with(path + " ");
                     });
  if (known) words.emplace_back("--help");  // without it an unknown verb is explained
  return print_answer(context, words);
}

}  // namespace

std::vector<Verb> help_verbs() {
  return {
      {"help",
       "Show help for pipekit-ctl or for a verb.",
       {{"VERB", "the verb", false}, {"WORD", "its second word", false}},
       {},
       {"pipekit-ctl help run", "pipekit-ctl help module add"},
       "",
       help},
      {"version",
       "Print the version of pipekit-ctl.",
       {},
       {},
       {"pipekit-ctl version"},
       "",
       [](Context& context, const Arguments&) { return print_answer(context, {"--version"}); }},
  };
}

}  // namespace pipekit::ctl
