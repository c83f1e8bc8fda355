#include "shared/log_format.h"

#include <spdlog/pattern_formatter.h>

#include <string>

#include "shared/terminal_text.h"

namespace pipekit {
namespace {

class LogFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto text = indented(terminal_text({message.payload.data(), message.payload.size()}));
    auto safe = message;
    safe.payload = text;
    pattern_.format(safe, out);
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LogFormatter>(); }

 private:
  static std::string indented(std::string text) {
    for (auto at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) text.insert(at + 1, "    ");
    return text;
  }

  spdlog::pattern_formatter pattern_{"%Y-%m-%dT%H:%M:%S.%e %l %n: %v"};
};

}  // namespace

std::unique_ptr<spdlog::formatter> log_formatter() { return std::make_unique<LogFormatter>(); }

}  // namespace pipekit
