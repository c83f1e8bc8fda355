#include "ctl/definition_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "ctl/definition_parser.h"

namespace pipekit::ctl {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBytes = 64U << 20U;  // of all files together

std::string shown_name(const fs::path& path) { return path == "-" ? "stdin" : path.string(); }

// A file is read to its end, not by its size: it may be a pipe. One byte over the limit tells that there is more.
Result<std::string> read_text(const fs::path& path, size_t limit) {
  std::ifstream in(path == "-" ? fs::path("/dev/stdin") : path, std::ios::binary);
  if (!in) {
    return Error{ErrorCode::kNotFound, fmt::format("cannot read {}", shown_name(path)),
                 "check the path and its permissions"};
  }
  std::string text;
  std::array<char, 64 * 1024> buffer{};
  while (in && text.size() <= limit) {
    in.read(buffer.data(), buffer.size());
    text.append(buffer.data(), static_cast<size_t>(in.gcount()));
  }
  if (in.bad()) return Error{ErrorCode::kUnavailable, fmt::format("{} cannot be read to its end", shown_name(path))};
  if (text.size() > limit) {
    return Error{ErrorCode::kInvalid, fmt::format("{}: the definitions are larger than 64 MiB", shown_name(path)),
                 "apply them in parts"};
  }
  return text;
}

Result<std::vector<fs::path>> files_of(const fs::path& path) {
  if (path == "-") return std::vector{path};
  std::error_code failed;
  const auto status = fs::status(path, failed);
  if (!fs::exists(status)) {
    return Error{ErrorCode::kNotFound, fmt::format("there is no file or directory {}", path.string())};
  }
  if (!fs::is_directory(status)) return std::vector{path};
  std::vector<fs::path> files;
  for (auto entry = fs::directory_iterator(path, failed); !failed && entry != fs::directory_iterator();
       entry.increment(failed)) {
    const auto& file = entry->path();
    const bool yaml = file.extension() == ".yaml" || file.extension() == ".yml";
    if (yaml && !file.filename().string().starts_with('.')) files.push_back(file);
  }
  if (failed) return Error{ErrorCode::kNotFound, fmt::format("cannot read {}: {}", path.string(), failed.message())};
  if (files.empty()) return Error{ErrorCode::kNotFound, fmt::format("there is no *.yaml in {}", path.string())};
  std::sort(files.begin(), files.end());
  return files;
}

// Which files were read, by what they are and not by their paths.
class FilesRead {
 public:
  Result<void> add(const fs::path& path) {
    struct stat info {};
    if (::stat(path == "-" ? "/dev/stdin" : path.c_str(), &info) != 0) return {};  // reading it says why
    const auto [first, fresh] = read_.emplace(std::pair(info.st_dev, info.st_ino), path);
    if (fresh) return {};
    const bool same = first->second == path;
    return Error{ErrorCode::kUsage,
                 same ? fmt::format("{} is given twice", shown_name(path))
                      : fmt::format("{} and {} are the same file", shown_name(first->second), shown_name(path)),
                 "give each file once"};
  }

 private:
  std::map<std::pair<dev_t, ino_t>, fs::path> read_;
};

}  // namespace

const SourceLine* DefinitionSet::locate(std::string_view path) const {
  while (!path.empty()) {
    if (const auto found = lines.find(std::string(path)); found != lines.end()) return &found->second;
    const auto end = path.find_last_of(".[");
    path = path.substr(0, end == std::string_view::npos ? 0 : end);
  }
  return nullptr;
}

Result<DefinitionSet> read_definitions(const std::vector<std::string>& paths) {
  DefinitionParser parser;
  FilesRead known;
  size_t left = kMaxBytes;
  for (const auto& path : paths) {
    const auto files = files_of(path);
    if (!files) return files.error();
    for (const auto& file : *files) {
      if (auto added = known.add(file); !added) return added.error();
      const auto text = read_text(file, left);
      if (!text) return text.error();
      left -= text->size();
      parser.add(shown_name(file), *text);
    }
  }
  return std::move(parser).finish();
}

Result<DefinitionSet> parse_definitions(const std::string& file, const std::string& text) {
  DefinitionParser parser;
  parser.add(file, text);
  return std::move(parser).finish();
}

std::string describe_problems(const DefinitionSet& set, const Json& problems) {
  std::string described;
  for (const auto& problem : problems) {
    const auto path = problem.value("path", "");
    const auto hint = problem.value("hint", "");
    if (!described.empty()) described += '\n';
    if (const auto* at = set.locate(path)) described += fmt::format("{}:{}: ", at->file, at->line);
    const auto field = path.substr(path.find_last_of('.') + 1);
    if (path.find('.') != std::string::npos) described += fmt::format("{}: ", field);
    described += problem.value("message", "");
    if (!hint.empty()) described += fmt::format("; {}", hint);
  }
  return described;
}

}  // namespace pipekit::ctl
