// The verbs that only read, and tails that ask for what memory no longer has. They run on the read thread with its own
// read-only connection, after the commit of the turn that passed them on; each is one short, bounded snapshot.
#pragma once

#include <string>

#include "broker/store/database.h"
#include "broker/turn.h"

namespace pipekit::queries {

bool knows(const std::string& verb);
std::vector<std::string> verbs();
// What the verb wants as ReadJob::live: all that only memory knows, or of one run (args.id).
enum class Live { none, run, all };
Live needs_live(const std::string& verb);

// Never throws for what a client sent; a StoreError (broken file) is a fault.
BrokerToClient answer(store::Database& db, const ReadJob& job);

}  // namespace pipekit::queries
