// completion SHELL, and what its scripts call: complete -- WORDS...
#include "ctl/verbs_completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ctl/completion.h"
#include "ctl/context.h"
#include "ctl/verbs.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

constexpr std::chrono::seconds kPatience{1};  // somebody has pressed the tab key

// The list that has the names of a noun, and the fields that describe each.
struct Source {
  std::string_view noun;
  std::string_view verb;
  std::string_view name;
  std::vector<std::string_view> about;
};

const std::vector<Source>& sources() {
  static const std::vector<Source> kSources = {
      {"driver", "driver.list", "name", {}},
      {"connection", "connection.list", "name", {"driver"}},
      {"module", "module.list", "name", {"source_connection", "last_status"}},
      {"group", "group.list", "name", {}},
      {"schedule", "schedule.list", "id", {"group", "cron_expr"}},
      {"run", "runs.list", "id", {"module_name", "status"}},
      {"group run", "group_runs.list", "id", {"group_name", "status"}},
      {"worker", "workers.list", "name", {"state", "host"}},
      {"setting", "settings.list", "key", {"description"}},
  };
  return kSources;
}

void add_names(Client& client, const std::string& noun, std::vector<Candidate>& candidates) {
  const auto source = std::ranges::find(sources(), noun, &Source::noun);
  if (source == sources().end()) return;
  const auto reply = client.exchange(std::string(source->verb), Json::object(), {kPatience, kPatience, kPatience});
  if (!reply || reply->error || !reply->body.is_array()) return;
  for (const auto& row : reply->body) {
    std::string about;
    for (const auto field : source->about) {
      const auto text = text_in(row, field);
      if (!text.empty()) about += (about.empty() ? "" : ", ") + text;
    }
    candidates.push_back({text_in(row, source->name), about});
  }
}

void ask_broker(const Completion& completion, std::vector<Candidate>& candidates) {
  if (completion.nouns.empty()) return;
  const auto config = resolve_config(completion.global, process_environment());
  if (!config) return;
  Output out;
  const SystemClock clock;
  Context context{*config, out, clock};
  const auto client = context.client();
  if (!client) return;
  for (const auto& noun : completion.nouns) add_names(**client, noun, candidates);
}

Result<int> print_script(Context& context, const Arguments& args) {
  auto script = completion_script(args.text("bash|zsh|fish"));
  if (!script) return script.error();
  context.out.write_data(*script);
  return 0;
}

}  // namespace

int print_completions(const std::vector<Verb>& verbs, std::vector<std::string> words, Output& out) {
  auto completion = complete(verbs, std::move(words));
  auto candidates = std::move(completion.candidates);
  ask_broker(completion, candidates);
  std::string text = completion.files ? ":files\n" : "";
  for (const auto& one : candidates) {
    // A line a candidate: what a name cannot be completed to by a shell is left out.
    if (!one.word.starts_with(completion.typed) || printable(one.word) != one.word) continue;
    text += fmt::format("{}{}\t{}\n", completion.prefix, one.word, printable(one.about));
  }
  out.write_data(text);
  return 0;
}

std::vector<Verb> completion_verbs() {
  return {
      {"completion",
       "Print a script that lets a shell complete verbs, flags and names.",
       {{"bash|zsh|fish", "the shell"}},
       {},
       {"pipekit-ctl completion bash > ~/.local/share/bash-completion/completions/pipekit-ctl",
        "pipekit-ctl completion zsh > /usr/local/share/zsh/site-functions/_pipekit-ctl",
        "pipekit-ctl completion fish > ~/.config/fish/completions/pipekit-ctl.fish"},
       "For the current shell only: source <(pipekit-ctl completion bash). Names come from the broker; if it does not "
       "answer within a second, none are offered.",
       print_script}};
}

}  // namespace pipekit::ctl
