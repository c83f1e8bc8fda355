#include "ctl/context.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "shared/say.h"

namespace pipekit::ctl {
namespace {

Patience patience_of(const Config& config) {
  return {config.timeout, config.timeout, std::min<Millis>(Millis{2000}, config.timeout)};
}

std::string structured(const Context& context, const std::vector<std::string>& fields, const Json& value) {
  switch (context.config.format) {
    case Format::json:
      return render_json(value);
    case Format::yaml:
      return render_yaml(value);
    default:
      return render_csv(fields, value);
  }
}

}  // namespace

Result<Client*> Context::client() {
  if (client_) return client_.get();
  std::error_code ignored;
  if (!config.data_dir.empty() && !std::filesystem::is_directory(config.data_dir, ignored)) {
    return Error{ErrorCode::kUnavailable, fmt::format("there is no data directory {}", config.data_dir),
                 fmt::format("pipekit-ctl up --data-dir {} creates it and starts the broker", config.data_dir)};
  }
  auto keys = client_keys(config.endpoint, {config.key_file, config.broker_key, config.broker_user, true});
  if (!keys) return keys.error();
  try {
    link_ = std::make_unique<Link>(config.endpoint, clock, std::move(*keys));
  } catch (const zmq::error_t& error) {
    return Error{ErrorCode::kUsage, fmt::format("cannot use the endpoint {}: {}", config.endpoint, error.what()),
                 "write tcp://HOST:PORT or ipc://PATH"};
  }
  client_ = std::make_unique<Client>(*link_, patience_of(config));
  // A program that reads errors as JSON from stderr is to find nothing else there.
  if (for_people()) client_->on_waiting([this](const std::string& text) { notice(text); });
  return client_.get();
}

Result<Json> Context::call(const std::string& verb, Json args) {
  auto connected = client();
  if (!connected) return connected.error();
  return (*connected)->call(verb, std::move(args));
}

void Context::print_list(const Listing& listing, const Json& rows) {
  if (!for_people()) return out.write_data(structured(*this, listing.fields, rows));
  if (rows.empty()) notice(listing.none);
  out.write(render_table(listing.columns, rows, style()));
}

void Context::print_object(const std::vector<std::string>& order, const Json& object) {
  if (for_people()) return out.write(render_object(order, object, style()));
  out.write_data(structured(*this, order, object));
}

void Context::notice(std::string_view text) const {
  if (!config.quiet && !text.empty()) say(fmt::format("{}\n", text));
}

Result<int> list(Context& context, const std::string& verb, Json args, Listing listing) {
  const bool filtered = args.size() > (args.contains("limit") ? 1U : 0U);
  if (filtered && !listing.none_matching.empty()) listing.none = listing.none_matching;
  const auto rows = context.call(verb, std::move(args));
  if (!rows) return rows.error();
  context.print_list(listing, *rows);
  return 0;
}

Result<int> show(Context& context, const std::string& verb, Json args, const std::vector<std::string>& order) {
  const auto object = context.call(verb, std::move(args));
  if (!object) return object.error();
  context.print_object(order, *object);
  return 0;
}

Result<bool> confirmed(const std::vector<std::string>& removed, bool yes) {
  if (yes) return true;
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
    return Error{ErrorCode::kUsage,
                 fmt::format("removing needs --yes where there is no terminal to ask on; this would be removed:\n  {}",
                             fmt::join(removed, "\n  ")),
                 "nothing was removed; repeat the command with --yes"};
  }
  say(fmt::format("This will be removed:\n  {}\nRemove it? [y/N] ", fmt::join(removed, "\n  ")));
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<Json> assignments(const Arguments& args) {
  Json set = Json::object();
  for (const auto& pair : args.list("set")) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::kUsage, fmt::format("--set must be NAME=VALUE, not \"{}\"", pair)};
    }
    const auto name = pair.substr(0, equals);
    if (set.contains(name)) return Error{ErrorCode::kUsage, fmt::format("--set gives {} two values", name)};
    set[name] = pair.substr(equals + 1);
  }
  return set;
}

std::string text_in(const Json& object, std::string_view field) {
  if (!object.is_object()) return {};
  const auto found = object.find(field);
  return found == object.end() ? std::string{} : plain_text(*found);
}

std::optional<int64_t> integer_in(const Json& object, std::string_view field) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(field);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<int64_t>();
}

}  // namespace pipekit::ctl
