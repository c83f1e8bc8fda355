// How rows are printed. Pure.
//   CSV: RFC 4180 with lines ended by LF; NULL is empty and unquoted, the empty string is "".
//   TSV: backslash, tab and line ends escaped as \\ \t \n \r; NULL is \N.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pipekit::jrunner {

enum class TableFormat { kCsv, kTsv };

void append_field(TableFormat format, std::optional<std::string_view> value, std::string& out);
inline char separator(TableFormat format) { return format == TableFormat::kCsv ? ',' : '\t'; }

}  // namespace pipekit::jrunner
