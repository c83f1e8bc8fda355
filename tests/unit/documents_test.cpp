// Documents: links lead somewhere, and README answers what people look for first.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

const fs::path kRoot = PIPEKIT_SOURCE_DIR;

std::vector<fs::path> documents() {
  std::vector<fs::path> files = {kRoot / "README.md", kRoot / "CHANGELOG.md", kRoot / "shared/PROTOCOL.md"};
  for (const auto& entry : fs::directory_iterator(kRoot / "docs")) {
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  }
  return files;
}

// As GitHub and GitLab name them: lower case, blanks as hyphens, without punctuation.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    if (c == ' ' || c == '-') {
      anchor += '-';
    } else if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return anchor;
}

std::set<std::string> anchors_in(const std::string& text) {
  std::set<std::string> anchors;
  bool fenced = false;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced || !line.starts_with('#')) continue;
    anchors.insert(anchor_of(line.substr(line.find_first_not_of("# "))));
  }
  return anchors;
}

std::vector<std::string> broken_links_in(const fs::path& file) {
  static const std::regex kLink(R"(\]\(([^)\s#]*)(#([^)\s]*))?\))");
  std::vector<std::string> broken;
  const auto text = read_file(file);
  for (std::sregex_iterator found(text.begin(), text.end(), kLink), end; found != end; ++found) {
    const auto path = (*found)[1].str();
    const auto anchor = (*found)[3].str();
    if (path.starts_with("http")) continue;
    const auto target = path.empty() ? file : file.parent_path() / path;
    if (!fs::exists(target) || (!anchor.empty() && !anchors_in(read_file(target)).contains(anchor))) {
      broken.push_back(fmt::format("{}: {}", fs::relative(file, kRoot).string(), (*found)[0].str()));
    }
  }
  return broken;
}

TEST(Documents, have_links_that_lead_somewhere) {
  for (const auto& file : documents()) EXPECT_THAT(broken_links_in(file), IsEmpty());
}

TEST(Documents, a_broken_link_is_noticed) {
  const TempDir dir;
  const auto file = dir.write("a.md", "# One two\n[x](#one-two) [x](#three) [x](missing.md) [x](a.md#one-two)\n");
  EXPECT_EQ(broken_links_in(file).size(), 2U);
}

TEST(Readme, says_in_its_third_line_which_databases_are_supported) {
  std::istringstream lines(read_file(kRoot / "README.md"));
  std::string third;
  for (int i = 0; i < 3; ++i) std::getline(lines, third);
  EXPECT_THAT(third, AllOf(HasSubstr("SQLite"), HasSubstr("PostgreSQL"), HasSubstr("MariaDB"), HasSubstr("SQL Server"),
                           HasSubstr("DB2"), HasSubstr("JDBC"), HasSubstr("planned")));
}

TEST(Glossary, has_each_term_once) {
  static const std::regex kTerm(R"(\*\*([^*]+)\*\*)");
  std::set<std::string> terms;
  std::istringstream lines(read_file(kRoot / "docs/GLOSSARY.md"));
  for (std::string line; std::getline(lines, line);) {
    const auto cell = line.substr(0, line.find('|', 1));
    for (std::sregex_iterator found(cell.begin(), cell.end(), kTerm), end; found != end; ++found) {
      EXPECT_TRUE(terms.insert((*found)[1]).second) << (*found)[1];
    }
  }
  EXPECT_GT(terms.size(), 50U);
}

}  // namespace
}  // namespace pipekit::test
