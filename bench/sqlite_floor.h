// What SQLite alone achieves in a directory with the settings of the broker's store: the best that a durable queue in
// SQLite can do.
#pragma once

#include <map>
#include <string>

namespace pipekit::bench {

// sqlite_commits_per_s and sqlite_commit_p50_us: one row of 200 bytes a commit. sqlite_jobs_per_s: a hundred jobs
// inserted, the hundred before them marked done, one commit. sqlite_lines_per_s: a thousand lines of 120 bytes, a row
// each, one commit.
std::map<std::string, double> sqlite_floor(const std::string& directory, double seconds);

}  // namespace pipekit::bench
