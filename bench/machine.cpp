#include "bench/machine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

namespace pipekit::bench {
namespace {

const double kTick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));

struct ProcessTimes {
  std::string name;
  pid_t parent = 0;
  double own = 0;
  double of_children = 0;  // those that it waited for
};

// /proc/PID/stat: pid (name) state ppid ... with times as fields 14 to 17; the name can contain any character.
std::optional<ProcessTimes> times_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto begin = text.find('(');
  const auto end = text.rfind(')');
  if (begin == std::string::npos || end == std::string::npos) return std::nullopt;
  ProcessTimes times{text.substr(begin + 1, end - begin - 1)};
  std::istringstream rest(text.substr(end + 1));
  std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
  if (fields.size() < 15) return std::nullopt;
  times.parent = std::stoi(fields[1]);
  times.own = (std::stod(fields[11]) + std::stod(fields[12])) * kTick;
  times.of_children = (std::stod(fields[13]) + std::stod(fields[14])) * kTick;
  return times;
}

std::map<pid_t, ProcessTimes> all_processes() {
  std::map<pid_t, ProcessTimes> all;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (pid <= 0) continue;
    if (auto times = times_of(pid)) all[pid] = std::move(*times);
  }
  return all;
}

bool is_below(const std::map<pid_t, ProcessTimes>& all, pid_t pid, pid_t root) {
  while (pid != root) {
    const auto found = all.find(pid);
    if (found == all.end() || found->second.parent == 0) return false;
    pid = found->second.parent;
  }
  return true;
}

// The value after "NAME:" in /proc/PID/status.
long status_value(pid_t pid, std::string_view name) {
  std::ifstream file(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name) && line[name.size()] == ':') return std::stol(line.substr(name.size() + 1));
  }
  return 0;
}

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string file_system_of(const std::string& directory) {
  struct statfs info {};
  if (::statfs(directory.c_str(), &info) != 0) return "an unknown file system";
  switch (static_cast<unsigned long>(info.f_type)) {
    case EXT4_SUPER_MAGIC:
      return "ext4";
    case XFS_SUPER_MAGIC:
      return "xfs";
    case BTRFS_SUPER_MAGIC:
      return "btrfs";
    case OVERLAYFS_SUPER_MAGIC:
      return "overlayfs";
    case TMPFS_MAGIC:
      return "tmpfs";
    default:
      return fmt::format("file system {:#x}", static_cast<unsigned long>(info.f_type));
  }
}

}  // namespace

int processors() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

// user nice system idle iowait irq softirq steal: all but idle and iowait.
double machine_cpu_s() {
  std::ifstream file("/proc/stat");
  std::string word;
  file >> word;
  double total = 0;
  for (int i = 0; i < 8; ++i) {
    double ticks = 0;
    file >> ticks;
    if (i != 3 && i != 4) total += ticks;
  }
  return total * kTick;
}

double tree_cpu_s(pid_t root) {
  const auto all = all_processes();
  double total = 0;
  for (const auto& [pid, times] : all) {
    if (is_below(all, pid, root)) total += times.own + times.of_children;
  }
  return total;
}

double own_cpu_s(pid_t pid) {
  const auto times = times_of(pid);
  return times ? times->own : 0;
}

double resident_mib(pid_t pid) { return static_cast<double>(status_value(pid, "VmRSS")) / 1024; }

long voluntary_switches(pid_t pid) {
  long total = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator task(fmt::format("/proc/{}/task", pid), error), end; !error && task != end;
       task.increment(error)) {
    total += status_value(std::stoi(task->path().filename().string()), "voluntary_ctxt_switches");
  }
  return total;
}

std::string busiest(pid_t root, double seconds) {
  const auto before = all_processes();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto after = all_processes();
  std::vector<std::pair<double, std::string>> took;
  for (const auto& [pid, times] : after) {
    const auto known = before.find(pid);
    const double used = times.own - (known == before.end() ? 0 : known->second.own);
    if (used > 0 && !is_below(after, pid, root)) took.emplace_back(-used, times.name);
  }
  std::ranges::sort(took);
  std::vector<std::string> names;
  for (const auto& [used, name] : took) {
    if (names.size() < 3 && std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

bool is_in_memory(const std::string& directory) {
  struct statfs info {};
  if (::statfs(directory.c_str(), &info) != 0) return false;
  return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC;
}

std::string description(const std::string& directory) {
  utsname system{};
  ::uname(&system);
  return fmt::format("{} processors ({}), {} {}, {}", processors(), processor_model(), system.sysname, system.release,
                     file_system_of(directory));
}

}  // namespace pipekit::bench
