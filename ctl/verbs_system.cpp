// up, status, workers, settings, config.
#include "ctl/context.h"
#include "ctl/status_screen.h"
#include "ctl/up.h"
#include "ctl/verbs.h"

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
               {"name", "state", "slots", "busy", "tags", "host", "version"},
               "no worker; pipekit-worker --name NAME starts one"});
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

// A file that is wrong was refused before this: the answer is that it is right.
Result<int> config_validate(Context& context, const Arguments& args) {
  if (args.has("FILE")) {
    const auto settings = read_config_file(args.text("FILE"));
    if (!settings) return settings.error();
  }
  if (!context.for_people()) {
    context.print_object({"ok"}, {{"ok", true}});
  } else {
    context.notice("the configuration is right");
  }
  return 0;
}

}  // namespace

std::vector<Verb> system_verbs() {
  using enum Flag::Type;
  return {
      {"up",
       "Broker and worker in the foreground: a laptop, a demo, a test.",
       {},
       {{"slots", Flag::Type::count, "runs side by side on each worker (4)", "N"},
        {"workers", Flag::Type::count, "how many (1)", "N"}},
       {"pipekit-ctl up --data-dir /tmp/pk"},
       "Ctrl-C ends both in order, a second one at once; when one of them ends by itself, all do. The store is"
       " DIR/pipekit.db.",
       up},
      {"status",
       "The broker, its workers, what runs, each module's last run.",
       {},
       {},
       {"pipekit-ctl status"},
       "",
       status},
      {"workers list", "Workers, with what they do and may.", {}, {}, {"pipekit-ctl workers list"}, "", workers_list},
      {"settings list", "The broker's settings.", {}, {}, {"pipekit-ctl settings list"}, "", settings_list},
      {"settings get",
       "One setting's value.",
       {{"KEY", "its name"}},
       {},
       {"pipekit-ctl settings get lease_s"},
       "",
       settings_get},
      {"settings set",
       "Change a setting.",
       {{"KEY", "its name"}, {"VALUE", "the new value"}},
       {},
       {"pipekit-ctl settings set lease_s 120"},
       "",
       settings_set},
      {"config show",
       "This program's configuration and where each value is from.",
       {},
       {},
       {"pipekit-ctl --config ctl.yaml config show"},
       "",
       config_show},
      {"config validate",
       "Check a configuration file; exit 2 when it is wrong.",
       {{"FILE", "else the one of --config or PIPEKIT_CONFIG", false}},
       {},
       {"pipekit-ctl config validate ctl.yaml"},
       "",
       config_validate},
  };
}

}  // namespace pipekit::ctl
