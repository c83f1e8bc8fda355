// The verbs, a file for each part of the program.
#pragma once

#include <vector>

#include "ctl/verb.h"

namespace pipekit::ctl {

std::vector<Verb> system_verbs();      // up, status, workers, settings, config
std::vector<Verb> document_verbs();    // apply, diff, export
std::vector<Verb> definition_verbs();  // driver, connection, module, watermark, hook, group, schedule
std::vector<Verb> run_verbs();         // run, run-group, cancel, why
std::vector<Verb> history_verbs();     // runs, group-runs, events
std::vector<Verb> completion_verbs();  // completion
std::vector<Verb> help_verbs();        // help, version

}  // namespace pipekit::ctl
