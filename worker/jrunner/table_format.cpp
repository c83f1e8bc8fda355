#include "worker/jrunner/table_format.h"

namespace pipekit::jrunner {
namespace {

void append_csv(std::string_view value, std::string& out) {
  if (!value.empty() && value.find_first_of("\",\r\n") == std::string_view::npos) {
    out += value;
    return;
  }
  out += '"';
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_tsv(std::string_view value, std::string& out) {
  for (const char c : value) {
    switch (c) {
      case '\\':
        out += "\\\\";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace

void append_field(TableFormat format, std::optional<std::string_view> value, std::string& out) {
  if (format == TableFormat::kCsv) {
    if (value) append_csv(*value, out);
    return;
  }
  if (value) {
    append_tsv(*value, out);
  } else {
    out += "\\N";
  }
}

}  // namespace pipekit::jrunner
