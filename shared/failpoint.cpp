#include "shared/failpoint.h"

#ifdef PIPEKIT_FAILPOINTS

#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <string>

namespace pipekit {
namespace {

struct Armed {
  std::string name;
  std::string action;
  std::atomic<int> passes_left{1};
};

std::deque<Armed> parse(const char* text) {
  std::deque<Armed> armed;
  std::string_view rest = text == nullptr ? "" : text;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const auto item = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    const auto equals = item.find('=');
    if (equals == std::string_view::npos) continue;
    const auto at = item.find('@', equals);
    auto& point = armed.emplace_back();
    point.name = item.substr(0, equals);
    point.action = item.substr(equals + 1, at == std::string_view::npos ? at : at - equals - 1);
    int nth = 1;
    if (at != std::string_view::npos) std::from_chars(item.data() + at + 1, item.data() + item.size(), nth);
    point.passes_left = nth;
  }
  return armed;
}

}  // namespace

void failpoint(std::string_view name) {
  static auto armed = parse(std::getenv("PIPEKIT_FAILPOINT"));
  for (auto& point : armed) {
    if (point.name != name || point.passes_left.fetch_sub(1) != 1) continue;
    if (point.action == "kill") ::raise(SIGKILL);
    if (point.action == "stop") ::kill(::getpid(), SIGSTOP);
    if (point.action == "exit") ::_exit(70);
    if (point.action == "fail") throw FailpointError("failpoint " + point.name);
  }
}

}  // namespace pipekit

#endif
