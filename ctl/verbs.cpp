#include "ctl/verbs.h"

#include <algorithm>
#include <iterator>

#include "ctl/verbs_parts.h"

namespace pipekit::ctl {

std::vector<Verb> all_verbs() {
  std::vector<Verb> all;
  for (auto part : {system_verbs(), document_verbs(), run_verbs(), history_verbs(), definition_verbs(), key_verbs(),
                    completion_verbs(), help_verbs()}) {
    std::ranges::move(part, std::back_inserter(all));
  }
  return all;
}

}  // namespace pipekit::ctl
