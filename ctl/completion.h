// Words with which a shell can complete a command line. Pure: input is the verbs as data and the words typed so far;
// the caller asks the broker for the names that only it knows.
//
// The name of a value in the help decides what completes it: FILE, DIR and PATH files, MODULE, GROUP, CONNECTION,
// DRIVER, RUN_ID and KEY names that the broker knows, NAME and ID those of the verb's own kind ("module show NAME");
// lower-case names are words themselves ("bash|zsh|fish").
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
  std::vector<Candidate> candidates;  // those that begin with what was typed
  std::vector<std::string> nouns;     // the broker knows more of these: "module", "run", ...
  bool files = false;
  std::string prefix;  // comes before the value in the same word: "--output="
  std::string typed;   // the beginning of the value
  Arguments global;    // those given so far: which broker to ask
};

// `words`: without the program's name; the last is the one to complete, and may be empty.
Completion complete(const std::vector<Verb>& verbs, std::vector<std::string> words);

// The script for a shell: source <(pipekit-ctl completion bash). kUsage for another shell.
Result<std::string> completion_script(std::string_view shell);

}  // namespace pipekit::ctl
