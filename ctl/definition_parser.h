// One or more YAML texts to one DefinitionSet, with all their problems. Internal to definition_file.h. Knows the fields
// from shared/definition_fields.h and refuses what YAML and yaml-cpp accept silently: duplicate keys, octal-looking
// numbers, yes and no, values that are missing, aliases that multiply.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/definition_file.h"
#include "shared/definition_fields.h"

namespace pipekit::ctl {

class DefinitionParser {
 public:
  // `file` is its name in messages. Several documents in one text are merged as several files are.
  void add(const std::string& file, const std::string& text);

  // A problem that is not about a place in a text.
  void fail(const std::string& file, int line, const std::string& reason);

  Result<DefinitionSet> finish() &&;

 private:
  enum class Empty { allowed, refused };  // "modules:" may have nothing below it
  using Fields = std::vector<std::pair<std::string, YAML::Node>>;

  bool is_text(const std::string& text);
  void document(const YAML::Node& root);
  void list(const Part& part, const YAML::Node& node);
  Json definition(Kind kind, const YAML::Node& node, const std::string& path);
  Fields fields(std::string_view what, const YAML::Node& node, const std::vector<std::string>& known, Empty empty);
  // Reports a null that was not written as null or ~.
  void check_null(const std::string& key, const YAML::Node& key_node, const YAML::Node& node, Empty empty);
  Json value(const Field& field, const YAML::Node& node, const std::string& path);
  Json integer(const Field& field, const YAML::Node& node);
  Json boolean(const Field& field, const YAML::Node& node);
  Json text_list(const Field& field, const YAML::Node& node);
  Json parts(const Part& part, const YAML::Node& node, const std::string& path);
  Json members(const YAML::Node& node, const std::string& path);
  Json member(const YAML::Node& node, const std::string& path, int64_t order);
  void remember_name(Kind kind, const Json& made, const YAML::Node& node);
  void fail(const YAML::Node& node, const std::string& reason) { fail(file_, line_of(node), reason); }
  void mark(const std::string& path, const YAML::Node& node) { set_.lines[path] = {file_, line_of(node)}; }
  static int line_of(const YAML::Node& node) { return node.Mark().line + 1; }
  // False when the text has too many entries, with aliases counted in full.
  bool spend(const YAML::Node& node, int depth);

  std::string file_;
  std::string text_;
  size_t visited_ = 0;
  DefinitionSet set_;
  std::vector<std::string> problems_;
  std::map<std::pair<Kind, std::string>, SourceLine> names_;
};

}  // namespace pipekit::ctl
