// What the shell may complete a command line with. Pure: the verbs as data, and the words typed so far; the names that
// only the broker knows are asked for by whoever calls this.
//
// How the help calls a value says what completes it: FILE, DIR and PATH the shell's own files, MODULE, GROUP,
// CONNECTION, DRIVER, RUN_ID and KEY names that the broker knows, NAME and ID those of the verb's own kind ("module
// show NAME"), and what is written small is a word itself ("bash|zsh|fish").
#pragma once

#include <string>
#include <vector>

#include "ctl/verb.h"

namespace pipekit::ctl {

struct Candidate {
  std::string word;
  std::string about;
};

struct Completion {
  std::vector<Candidate> candidates;  // begin with what was typed
  std::vector<std::string> nouns;     // the broker knows more: "module", "run", ...
  bool files = false;
  std::string prefix;  // stands before the value in the same word: "--output="
  std::string typed;   // the beginning of the value
  Arguments global;    // those given so far: which broker to ask
};

// `words`: without the program's name; the last is the one to complete, and may be empty.
Completion complete(const std::vector<Verb>& verbs, std::vector<std::string> words);

// What the shell reads: source <(pipekit-ctl completion bash). kUsage for another shell.
Result<std::string> completion_script(std::string_view shell);

}  // namespace pipekit::ctl
