// The verbs that carry a whole document of definitions: apply and diff. To decode and check one may take seconds, so
// the read thread does it; the loop only writes what has been checked. Any thread.
#pragma once

#include <string>
#include <vector>

#include "broker/turn.h"

namespace pipekit::documents {

bool knows(const std::string& verb);
std::vector<std::string> verbs();

// An answer (of diff, of a dry run, of a document that is wrong or changes nothing), or what is to be written.
ReadOutcome check(store::Database& db, ReadJob job, const TimeBudget& budget);

}  // namespace pipekit::documents
