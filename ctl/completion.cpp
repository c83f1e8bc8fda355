#include "ctl/completion.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "ctl/command_line.h"

namespace pipekit::ctl {
namespace {

std::vector<std::string> alternatives(std::string_view label) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= label.size();) {
    const auto bar = std::min(label.find('|', at), label.size());
    parts.emplace_back(label.substr(at, bar - at));
    at = bar + 1;
  }
  return parts;
}

class Walk {
 public:
  explicit Walk(const std::vector<Verb>& verbs) : verbs_(verbs) {}

  void take(const std::string& word) {
    if (awaiting_ != nullptr) return give(*std::exchange(awaiting_, nullptr), word);
    if (word.size() > 1 && word.starts_with("-")) return take_flag(word);
    if (verb_ != nullptr) {
      ++positionals_;
      return;
    }
    path_ += (path_.empty() ? "" : " ") + word;
    const auto found = std::ranges::find(verbs_, path_, &Verb::path);
    if (found != verbs_.end()) verb_ = &*found;
  }

  Completion finish(const std::string& last) {
    out_.typed = last;
    const auto equals = last.find('=');
    if (awaiting_ != nullptr) {
      offer_value(*awaiting_);
    } else if (last.starts_with("--") && equals != std::string::npos) {
      out_.prefix = last.substr(0, equals + 1);
      out_.typed = last.substr(equals + 1);
      if (const auto* flag = find_flag(last.substr(0, equals))) offer_value(*flag);
    } else if (last.starts_with("-")) {
      offer_flags();
    } else if (verb_ == nullptr) {
      offer_verbs();
    } else if (positionals_ < verb_->positionals.size()) {
      offer_label(verb_->positionals[positionals_].name);
    } else {
      offer_flags();
    }
    std::erase_if(out_.candidates, [&](const Candidate& one) { return !one.word.starts_with(out_.typed); });
    return std::move(out_);
  }

 private:
  void take_flag(const std::string& word) {
    const auto equals = word.starts_with("--") ? word.find('=') : std::string::npos;
    const bool joined = !word.starts_with("--") && word.size() > 2;  // -ojson
    const auto* flag = find_flag(joined ? word.substr(0, 2) : word.substr(0, equals));
    if (flag == nullptr) return;
    given_.insert(flag);
    if (flag->type == Flag::Type::on) return;
    if (equals != std::string::npos) return give(*flag, word.substr(equals + 1));
    if (joined) return give(*flag, word.substr(2));
    awaiting_ = flag;
  }

  void give(const Flag& flag, const std::string& value) {
    const auto& global = global_flags();
    if (std::ranges::any_of(global, [&](const Flag& one) { return &one == &flag; })) out_.global.add(flag.name, value);
  }

  [[nodiscard]] const Flag* find_flag(const std::string& word) const {
    const auto named = [&](const Flag& flag) {
      return word == "--" + flag.name || (!flag.short_name.empty() && word == "-" + flag.short_name) ||
             std::ranges::any_of(flag.aliases, [&](const std::string& alias) { return word == "--" + alias; });
    };
    const auto find_in = [&](const std::vector<Flag>& flags) {
      const auto found = std::ranges::find_if(flags, named);
      return found == flags.end() ? nullptr : &*found;
    };
    if (const auto* flag = verb_ == nullptr ? nullptr : find_in(verb_->flags)) return flag;
    return find_in(global_flags());
  }

  void offer(const std::string& word, const std::string& about = {}) { out_.candidates.push_back({word, about}); }

  void offer_flags() {
    const auto add = [&](const Flag& flag) {
      if (given_.contains(&flag) && flag.type != Flag::Type::list) return;
      offer("--" + flag.name, flag.about);
      if (flag.negatable) offer("--no-" + flag.name, "the opposite");
    };
    if (verb_ != nullptr) std::ranges::for_each(verb_->flags, add);
    std::ranges::for_each(global_flags(), add);
    offer("--help", "show what this does, with an example");
    if (verb_ == nullptr) offer("--version", "print the version");
  }

  // The next word of every verb that begins like this; a group is offered once.
  void offer_verbs() {
    const auto begin = path_.empty() ? "" : path_ + " ";
    std::set<std::string> offered;
    for (const auto& verb : verbs_) {
      if (!verb.path.starts_with(begin)) continue;
      const auto word = verb.path.substr(begin.size(), verb.path.find(' ', begin.size()) - begin.size());
      if (!offered.insert(word).second) continue;
      offer(word, verb.path == begin + word ? verb.about : "");
    }
  }

  void offer_value(const Flag& flag) {
    for (const auto& word : flag.words) offer(word);
    if (flag.words.empty()) offer_label(flag.value);
  }

  void offer_label(const std::string& label) {
    for (const auto& one : alternatives(label)) {
      if (one == "FILE" || one == "DIR" || one == "PATH") {
        out_.files = true;
      } else if (!one.empty() && one[0] >= 'a' && one[0] <= 'z') {
        offer(one);
      } else if (auto noun = noun_of(one); !noun.empty()) {
        out_.nouns.push_back(std::move(noun));
      }
    }
  }

  [[nodiscard]] std::string noun_of(const std::string& label) const {
    static const std::map<std::string, std::string> kNouns = {
        {"MODULE", "module"}, {"GROUP", "group"}, {"CONNECTION", "connection"},
        {"DRIVER", "driver"}, {"RUN_ID", "run"},  {"KEY", "setting"}};
    if (const auto known = kNouns.find(label); known != kNouns.end()) return known->second;
    static const std::map<std::string, std::string> kOwn = {{"driver", "driver"},        {"connection", "connection"},
                                                            {"module", "module"},        {"group", "group"},
                                                            {"schedule", "schedule"},    {"runs", "run"},
                                                            {"group-runs", "group run"}, {"workers", "worker"}};
    const bool is_new = verb_ == nullptr || verb_->path.ends_with(" add") || (label != "NAME" && label != "ID");
    const auto own = is_new ? kOwn.end() : kOwn.find(verb_->path.substr(0, verb_->path.find(' ')));
    return own == kOwn.end() ? "" : own->second;
  }

  const std::vector<Verb>& verbs_;
  std::string path_;
  const Verb* verb_ = nullptr;
  const Flag* awaiting_ = nullptr;  // its value is the next word
  size_t positionals_ = 0;
  std::set<const Flag*> given_;
  Completion out_;
};

// bash cuts words at = and : as well; they are put together again, and the part before the last cut is not repeated.
constexpr std::string_view kBash =
    R"sh(# bash completion of pipekit-ctl; to have it now: source <(pipekit-ctl completion bash)
_pipekit_ctl() {
  local line=${COMP_LINE:0:COMP_POINT} i piece word rest head
  local -a words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=${line%%[![:space:]]*}
    if ((i == 0)) || [[ -n $piece ]]; then
      line=${line#"$piece"}
      words+=('')
    fi
    piece=${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || piece=$line
    words[-1]+=$piece
    line=${line#"$piece"}
  done
  head=${words[-1]%"${words[-1]##*[=:]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r word rest; do
    if [[ $word == :files ]]; then
      compopt -o default
    else
      COMPREPLY+=("$(printf '%q' "${word#"$head"}")")
    fi
  done < <("${words[0]/#\~/$HOME}" complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _pipekit_ctl pipekit-ctl
)sh";

constexpr std::string_view kZsh = R"sh(#compdef pipekit-ctl
# zsh completion of pipekit-ctl; to have it now: source <(pipekit-ctl completion zsh)
_pipekit_ctl() {
  local line word
  local -a described
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      _files
    else
      word=${line%%$'\t'*}
      described+=("${word//:/\\:}:${line#*$'\t'}")
    fi
  done < <("${(Q)words[1]}" complete -- "${(Q@)words[2,CURRENT]}" 2>/dev/null)
  (( $#described )) && _describe -V pipekit-ctl described
}
if [[ ${funcstack[1]} == _pipekit-ctl ]]; then  # autoloaded
  _pipekit_ctl "$@"
else
  compdef _pipekit_ctl pipekit-ctl
fi
)sh";

constexpr std::string_view kFish =
    R"sh(# fish completion of pipekit-ctl; to have it now: pipekit-ctl completion fish | source
function __pipekit_ctl
    set -l words (commandline -opc) (commandline -ct)
    for line in (command $words[1] complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c pipekit-ctl -f -k -a '(__pipekit_ctl)'
)sh";

}  // namespace

Completion complete(const std::vector<Verb>& verbs, std::vector<std::string> words) {
  if (words.empty()) words.emplace_back();
  Walk walk(verbs);
  for (size_t i = 0; i + 1 < words.size(); ++i) walk.take(words[i]);
  return walk.finish(words.back());
}

Result<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(kBash);
  if (shell == "zsh") return std::string(kZsh);
  if (shell == "fish") return std::string(kFish);
  return Error{ErrorCode::kUsage, "completion: no script for \"" + std::string(shell) + "\"", "bash, zsh or fish"};
}

}  // namespace pipekit::ctl
