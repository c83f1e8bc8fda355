// A run, or a group run, as a page for people. Pure.
#pragma once

#include <string>

#include "ctl/render.h"
#include "ctl/verb.h"

namespace pipekit::ctl {

std::string run_page(const Json& run, const Style& style);
std::string group_run_page(const Json& group_run, const Style& style);

// runs logs ID [-f]
Result<int> runs_logs(Context& context, const Arguments& args);

}  // namespace pipekit::ctl
