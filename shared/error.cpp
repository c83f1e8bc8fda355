#include "shared/error.h"

#include <algorithm>
#include <array>

namespace pipekit {
namespace {

struct Row {
  ErrorCode code;
  std::string_view word;
  int exit;
};

constexpr auto kRows = std::to_array<Row>({
    {ErrorCode::kUnexpected, "unexpected", 1},
    {ErrorCode::kUsage, "usage", 2},
    {ErrorCode::kInvalid, "invalid", 3},
    {ErrorCode::kNotFound, "not_found", 3},
    {ErrorCode::kExists, "exists", 3},
    {ErrorCode::kInUse, "in_use", 3},
    {ErrorCode::kExecutionFailed, "execution_failed", 4},
    {ErrorCode::kAlreadyRunning, "already_running", 4},
    {ErrorCode::kUnavailable, "unavailable", 5},
    {ErrorCode::kRefused, "refused", 6},
    {ErrorCode::kNameInUse, "name_in_use", 6},
    {ErrorCode::kVersionMismatch, "version_mismatch", 5},
    {ErrorCode::kStaleRequest, "stale_request", 5},
    {ErrorCode::kMalformed, "malformed", 3},
    {ErrorCode::kTooLarge, "too_large", 3},
    {ErrorCode::kOverloaded, "overloaded", 5},
});

}  // namespace

std::string_view to_string(ErrorCode code) {
  const auto* row = std::ranges::find(kRows, code, &Row::code);
  assert(row != kRows.end());
  return row->word;
}

ErrorCode error_code_from(std::string_view word) {
  const auto* row = std::ranges::find(kRows, word, &Row::word);
  return row == kRows.end() ? ErrorCode::kUnexpected : row->code;
}

int exit_code(ErrorCode code) {
  const auto* row = std::ranges::find(kRows, code, &Row::code);
  assert(row != kRows.end());
  return row->exit;
}

}  // namespace pipekit
