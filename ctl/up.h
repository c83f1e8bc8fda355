// `up`: broker and workers as children of this process, as long as it lives.
#pragma once

#include "ctl/verb.h"

namespace pipekit::ctl {

Result<int> up(Context& context, const Arguments& args);

}  // namespace pipekit::ctl
