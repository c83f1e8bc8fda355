// up, status, workers, settings, config.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/follow.h"
#include "ctl/status_screen.h"
#include "ctl/up.h"
#include "ctl/verbs.h"
#include "shared/plural.h"

namespace pipekit::ctl {
namespace {

const std::vector<std::string> kSettingFields = {"key", "value", "default", "description"};

Result<int> status(Context& context, const Arguments&) {
  const auto answer = context.call("status", Json::object());
  if (!answer) return answer.error();
  if (context.for_people()) {
    context.out.write(status_screen(*answer, context.style()));
  } else {
    context.print_object({"broker"}, *answer);
  }
  return 0;
}

Result<int> workers_list(Context& context, const Arguments&) {
  return list(context, "workers.list", Json::object(),
              {worker_columns(),
               {"name", "state", "slots", "busy", "drained", "tags", "drivers", "host", "version", "protocol"},
               "no workers; pipekit-worker --name NAME starts one"});
}

// Until the last of its runs has ended, or the drain itself.
class DrainWatch final : public Observer {
 public:
  DrainWatch(Context& context, std::string worker) : context_(context), worker_(std::move(worker)) {}
  std::optional<int> observe(const Event& event) override {
    if (event.worker != worker_) return std::nullopt;
    if (event.kind == "worker.resumed") resumed_ = true;
    return resumed_ ? 4 : 0;
  }
  [[nodiscard]] bool has_outcome() const override { return true; }
  void interrupted() override {
    context_.notice(fmt::format("{} stays drained; pipekit-ctl workers resume {} undoes that", worker_, worker_));
  }
  [[nodiscard]] bool resumed() const { return resumed_; }

 private:
  Context& context_;
  std::string worker_;
  bool resumed_ = false;
};

Result<int> wait_until_drained(Context& context, const std::string& worker, int64_t since) {
  TailWish wish;
  wish.after = since;
  wish.filter.kinds = {"worker.drained", "worker.resumed", "worker.lost", "worker.left"};
  DrainWatch watch(context, worker);
  auto code = follow(context, std::move(wish), watch);
  if (code && watch.resumed()) context.notice(fmt::format("worker {} was resumed in the meantime", worker));
  return code;
}

Result<int> workers_drain(Context& context, const Arguments& args) {
  const auto name = args.text("NAME");
  auto drained = context.call("workers.drain", {{"name", name}});
  if (!drained) return drained.error();
  auto busy = integer_in(*drained, "busy").value_or(0);
  if (args.has("wait") && busy > 0) {
    context.notice(fmt::format("waiting for {} on {}", count_of(busy, "run"), name));
    const auto code = wait_until_drained(context, name, integer_in(*drained, "seq").value_or(0));
    if (!code || *code != 0) return code;
    (*drained)["busy"] = busy = 0;
  }
  if (!context.for_people()) {
    context.print_object({"name", "drained", "busy"}, *drained);
  } else if (busy == 0) {
    context.out.write(fmt::format("{} is drained: nothing runs on it\n", name));
  } else {
    context.out.write(fmt::format("{} gets no new runs; {} in progress\n", name, count_of(busy, "run")));
  }
  return 0;
}

Result<int> workers_resume(Context& context, const Arguments& args) {
  const auto resumed = context.call("workers.resume", {{"name", args.text("NAME")}});
  if (!resumed) return resumed.error();
  if (!context.for_people()) {
    context.print_object({"name", "drained", "busy"}, *resumed);
  } else {
    context.out.write(fmt::format("{} gets new runs again\n", args.text("NAME")));
  }
  return 0;
}

Result<int> workers_release(Context& context, const Arguments& args) {
  const auto released = context.call("workers.release", {{"name", args.text("NAME")}});
  if (!released) return released.error();
  if (!context.for_people()) {
    context.print_object({"name", "identity"}, *released);
  } else {
    context.out.write(
        fmt::format("released the worker name {}: the next worker that uses it owns it\n", args.text("NAME")));
  }
  return 0;
}

Result<int> settings_list(Context& context, const Arguments&) {
  return list(context, "settings.list", Json::object(),
              {{text_column("KEY", "key", 0), text_column("VALUE", "value", 0), text_column("DEFAULT", "default", 2),
                text_column("ABOUT", "description", 3)},
               kSettingFields,
               ""});
}

Result<int> settings_get(Context& context, const Arguments& args) {
  const auto setting = context.call("settings.get", {{"key", args.text("KEY")}});
  if (!setting) return setting.error();
  if (context.for_people()) {
    context.out.write(text_in(*setting, "value") + "\n");
  } else {
    context.print_object(kSettingFields, *setting);
  }
  return 0;
}

Result<int> settings_set(Context& context, const Arguments& args) {
  return show(context, "settings.set", {{"key", args.text("KEY")}, {"value", args.text("VALUE")}}, kSettingFields);
}

Result<int> config_show(Context& context, const Arguments&) {
  Json rows = Json::array();
  for (const auto& setting : context.config.settings) {
    rows.push_back({{"key", setting.key}, {"value", setting.value}, {"source", setting.source}});
  }
  context.print_list({{text_column("KEY", "key", 0), text_column("VALUE", "value", 0), text_column("FROM", "source")},
                      {"key", "value", "source"},
                      ""},
                     rows);
  return 0;
}

// The file of --config or PIPEKIT_CONFIG was checked before any verb runs.
Result<int> config_validate(Context& context, const Arguments& args) {
  if (args.has("FILE")) {
    Arguments only;
    only.add("config", args.text("FILE"));
    const auto config = resolve_config(only, [](const std::string&) { return std::nullopt; });
    if (!config) return config.error();
  } else if (context.config.file.empty()) {
    return Error{ErrorCode::kUsage, "config validate: there is no file to check",
                 "name one, or give --config FILE or PIPEKIT_CONFIG"};
  }
  const auto file = args.has("FILE") ? args.text("FILE") : context.config.file;
  if (!context.for_people()) {
    context.print_object({"ok", "file"}, {{"ok", true}, {"file", file}});
  } else {
    context.notice(fmt::format("{}: configuration is valid", file));
  }
  return 0;
}

}  // namespace

std::vector<Verb> system_verbs() {
  using enum Flag::Type;
  return {
      {"up",
       "Start a broker and workers in the foreground, for a laptop, a demo or a test.",
       {},
       {{"slots", Flag::Type::count, "concurrent runs per worker (4)", "N"},
        {"workers", Flag::Type::count, "number of workers (1)", "N"}},
       {"pipekit-ctl up --data-dir /tmp/pk"},
       "Ctrl-C stops everything cleanly; press it again to stop at once. If any of the processes exits, the rest stop"
       " too. The store is DIR/pipekit.db.",
       up},
      {"status",
       "Show the broker, its workers, current runs, and each module's last run.",
       {},
       {},
       {"pipekit-ctl status"},
       "",
       status},
      {"workers list",
       "List workers with their load, tags and state.",
       {},
       {},
       {"pipekit-ctl workers list"},
       "",
       workers_list},
      {"workers drain",
       "Give a worker no new runs, even after a restart, until it is resumed.",
       {{"NAME", "the worker"}},
       {{"wait", Flag::Type::on, "wait until its runs have ended; exit 4 if it is resumed first"}},
       {"pipekit-ctl workers drain w1 --wait"},
       "Runs in progress continue. To replace a worker: drain it with --wait, stop it, start the new one, resume it.",
       workers_drain},
      {"workers resume",
       "Give a drained worker new runs again.",
       {{"NAME", "the worker"}},
       {},
       {"pipekit-ctl workers resume w1"},
       "",
       workers_resume},
      {"workers release",
       "Release a worker's name for another key or local user.",
       {{"NAME", "the worker"}},
       {},
       {"pipekit-ctl workers release w1"},
       "A name belongs to the key, or the local user, that used it first. The worker must not be connected.",
       workers_release},
      {"settings list", "List the broker's settings.", {}, {}, {"pipekit-ctl settings list"}, "", settings_list},
      {"settings get",
       "Print the value of a setting.",
       {{"KEY", "the setting's name"}},
       {},
       {"pipekit-ctl settings get runs_keep_days"},
       "",
       settings_get},
      {"settings set",
       "Change a setting.",
       {{"KEY", "the setting's name"}, {"VALUE", "the new value"}},
       {},
       {"pipekit-ctl settings set runs_keep_days 90"},
       "",
       settings_set},
      {"config show",
       "Show pipekit-ctl's configuration and where each value comes from.",
       {},
       {},
       {"pipekit-ctl --config ctl.yaml config show"},
       "",
       config_show},
      {"config validate",
       "Check a configuration file of pipekit-ctl; exit 2 if it is wrong.",
       {{"FILE", "the file (default: that of --config or PIPEKIT_CONFIG)", false}},
       {},
       {"pipekit-ctl config validate ctl.yaml"},
       "",
       config_validate},
  };
}

}  // namespace pipekit::ctl
