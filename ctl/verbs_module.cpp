// module enable, disable, preview, take-over; connection test.
#include <fmt/format.h>

#include "ctl/context.h"
#include "ctl/human.h"
#include "ctl/verbs_parts.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

Result<int> set_enabled(Context& context, const Arguments& args, bool enabled) {
  const auto module = context.call(enabled ? "module.enable" : "module.disable", {{"name", args.text("NAME")}});
  if (!module) return module.error();
  if (!context.for_people()) {
    context.print_object({"id", "name", "enabled"}, *module);
  } else {
    context.out.write(fmt::format("{} module {}\n", enabled ? "enabled" : "disabled", text_in(*module, "name")));
  }
  return 0;
}

Result<Json> ask_worker(Context& context, const std::string& verb, Json args) {
  auto client = context.client();
  if (!client) return client.error();
  return (*client)->call_slow(verb, std::move(args));
}

Result<int> test_connection(Context& context, const Arguments& args) {
  const auto answer = ask_worker(context, "connection.test", {{"name", args.text("NAME")}});
  if (!answer) return answer.error();
  if (!context.for_people()) {
    context.print_object({"ok", "worker", "elapsed_ms"}, *answer);
  } else {
    const Millis elapsed{integer_in(*answer, "elapsed_ms").value_or(0)};
    context.out.write(fmt::format("{} {} answered {} in {}\n", tinted("✔", Tint::good, context.style()),
                                  args.text("NAME"), text_in(*answer, "worker"), duration_text(elapsed)));
  }
  return 0;
}

Result<int> take_over(Context& context, const Arguments& args) {
  const Json request = {{"name", args.text("NAME")}, {"from_store", args.text("from")}};
  const auto answer = ask_worker(context, "module.take_over", request);
  if (!answer) return answer.error();
  if (!context.for_people()) {
    context.print_object({"name", "store", "worker"}, *answer);
  } else {
    context.out.write(fmt::format("module {}: this broker (store {}) now owns its table\n", text_in(*answer, "name"),
                                  text_in(*answer, "store")));
  }
  return 0;
}

std::string sql_block(std::string_view title, std::string sql, const Style& style) {
  sql.erase(sql.find_last_not_of('\n') + 1);
  if (sql.empty()) return {};
  std::string out = tinted(title, Tint::bold, style) + "\n";
  for (size_t at = 0; at <= sql.size();) {
    const auto end = std::min(sql.find('\n', at), sql.size());
    out += "  " + printable(sql.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return out + "\n";
}

// Rows come as lists beside the list of names.
std::string rows_table(const Json& preview, const Style& style) {
  std::vector<Column> columns;
  for (const auto& name : preview.value("columns", Json::array())) {
    const auto index = columns.size();
    const auto cell = [index](const Json& row, const Style&) {
      const bool null = index >= row.size() || row[index].is_null();
      return null ? Cell{"NULL", Tint::dim} : Cell{plain_text(row[index])};
    };
    columns.push_back({plain_text(name), cell, Align::left, static_cast<int>(index)});
  }
  const auto table = render_table(columns, preview.value("rows", Json::array()), style);
  return table.empty() ? "no rows\n" : table;
}

Result<int> preview(Context& context, const Arguments& args) {
  const auto set = assignments(args);
  if (!set) return set.error();
  const Json request = {{"name", args.text("NAME")}, {"max_rows", args.integer("rows").value_or(10)}, {"set", *set}};
  const auto answer = ask_worker(context, "module.preview", request);
  if (!answer) return answer.error();
  if (!context.for_people()) {
    context.print_object({"source_sql", "merge_sql", "watermarks", "columns", "rows"}, *answer);
    return 0;
  }
  const auto style = context.style();
  context.out.write(sql_block("source SQL", text_in(*answer, "source_sql"), style) +
                    sql_block("merge SQL", text_in(*answer, "merge_sql"), style) + rows_table(*answer, style));
  return 0;
}

}  // namespace

std::vector<Verb> connection_test_verb() {
  return {{"connection test",
           "Test a connection from a worker.",
           {{"NAME", "the connection's name or ID"}},
           {},
           {"pipekit-ctl connection test wh"},
           "Exit 5 if the database cannot be reached.",
           test_connection}};
}

std::vector<Verb> module_verbs() {
  const Positional name = {"NAME", "the module's name or ID"};
  return {
      {"module enable",
       "Enable a module.",
       {name},
       {},
       {"pipekit-ctl module enable orders"},
       "",
       [](Context& c, const Arguments& args) { return set_enabled(c, args, true); }},
      {"module disable",
       "Disable a module: groups skip it.",
       {name},
       {},
       {"pipekit-ctl module disable orders"},
       "",
       [](Context& c, const Arguments& args) { return set_enabled(c, args, false); }},
      {"module preview",
       "Show the SQL of a run with the current watermarks, and the first rows. Changes nothing.",
       {name},
       {{"rows", Flag::Type::count, "show the first N rows (10)", "N"},
        {"set", Flag::Type::list, "use VALUE for the watermark NAME", "NAME=VALUE"}},
       {"pipekit-ctl module preview orders --rows 5"},
       "",
       preview},
      {"module take-over",
       "Take ownership of a destination table that another broker's store used to write.",
       {name},
       {{"from", Flag::Type::text, "the other store, as named by the error other_store", "STORE"}},
       {"pipekit-ctl module take-over orders --from 705e40bd"},
       "Only when no broker of that store is left: after a restore, or when that system no longer exists.",
       take_over},
  };
}

}  // namespace pipekit::ctl
