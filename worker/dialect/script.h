// Puts a script together from statements.
#pragma once

#include <string>
#include <string_view>

namespace pipekit::worker {

class Script {
 public:
  Script& operator<<(std::string_view statement) {
    if (!statement.empty()) text_.append(statement).append(";\n");
    return *this;
  }
  [[nodiscard]] std::string str() const { return text_; }

 private:
  std::string text_;
};

}  // namespace pipekit::worker
