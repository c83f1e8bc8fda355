// Input: where to cut, a secret and the output of a child, as "CSECRET\nOUTPUT". Wherever it is cut, the result is the
// same.
#include "shared/utf8.h"
#include "tests/fuzz/input.h"
#include "worker/head_tail.h"
#include "worker/line_splitter.h"
#include "worker/masker.h"
#include "worker/row_count.h"

namespace {

using namespace pipekit;
using fuzz::require;

constexpr size_t kMaxLine = 48;

template <class Feed>
void in_pieces(std::string_view text, size_t piece, Feed feed) {
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) feed(text.substr(0, piece));
}

std::vector<std::string> lines(std::string_view text, size_t piece) {
  std::vector<std::string> found;
  worker::LineSplitter splitter(kMaxLine);
  const auto keep = [&](std::string line) { found.push_back(std::move(line)); };
  in_pieces(text, piece, [&](std::string_view bytes) { splitter.feed(bytes, keep); });
  splitter.finish(keep);
  return found;
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

void split(std::string_view text, size_t piece) {
  const auto whole = lines(text, text.size() + 1);
  require(whole == lines(text, piece), "lines do not depend on the cuts");
  worker::RowCount rows;
  auto told = *worker::RowCount::with_pattern("([0-9][^ ]*) r");
  worker::HeadTail kept(100, 100);
  for (const auto& line : whole) {
    require(is_valid_utf8(line) && std::ranges::none_of(line, is_control), "a line can be printed");
    require(line.size() <= kMaxLine + 40, "a line is bounded");
    rows.feed(line);
    told.feed(line);
    kept.add_line(line);
  }
  require(rows.result().value_or(0) >= 0 && told.result().value_or(0) >= 0, "rows are counted from none");
  require(is_valid_utf8(kept.text()), "what is kept can be printed");
}

void mask(std::string_view secret, std::string_view text, size_t piece) {
  worker::Masker masker({std::string(secret)});
  std::string masked;
  in_pieces(text, piece, [&](std::string_view bytes) { masked += masker.feed(bytes); });
  masked += masker.finish();
  require(masked == masker.mask(text), "what is masked does not depend on the cuts");
  if (secret.size() < worker::Masker::kMinSecret) return require(masked == text, "a short secret is not masked");
  // The mask itself consists of asterisks.
  const bool masks_itself = secret.find('*') != std::string_view::npos;
  require(masks_itself || masked.find(secret) == std::string::npos, "a secret does not come out");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const size_t piece = input.byte() % 16 + size_t{1};
  const auto secret = input.line();
  const auto text = input.rest();
  split(text, piece);
  mask(secret, text, piece);
  require(is_valid_utf8(to_utf8(text)), "any bytes become UTF-8");
  require(!is_valid_utf8(text) || to_utf8(text) == text, "what is UTF-8 stays");
  return 0;
}
