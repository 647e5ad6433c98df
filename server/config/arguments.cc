#include <algorithm>
#include <cctype>
#include <optional>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/config/flag_value.h"
#include "server/config/go_values.h"
#include "server/config/sources.h"

namespace etcd::config {
namespace {

absl::Status Invalid(std::string_view message) {
  return base::MakeStatus(absl::StatusCode::kInvalidArgument, message);
}

struct Token {
  std::string_view name;
  std::optional<std::string_view> value;  // of "-name=value"
};

// "-name", "--name", "-name=value"; nullopt where flags end. Go's flag.parseOne.
absl::StatusOr<std::optional<Token>> Split(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return std::nullopt;
  std::string_view body = argument.substr(1);
  if (body[0] == '-') body.remove_prefix(1);
  if (body.empty()) return std::nullopt;  // "--"
  if (body[0] == '-' || body[0] == '=') {
    return Invalid(fmt::format("bad flag syntax: {}", argument));
  }
  const std::size_t equals = body.find('=', 1);
  Token token{body.substr(0, equals), std::nullopt};
  if (equals != std::string_view::npos) token.value = body.substr(equals + 1);
  return token;
}

absl::Status SetBool(std::string_view name, std::string_view value, bool& out) {
  const std::optional<bool> parsed = ParseGoBool(value);
  if (!parsed.has_value()) {
    return Invalid(fmt::format("invalid boolean value \"{}\" for -{}: parse error", value, name));
  }
  out = *parsed;
  return absl::OkStatus();
}

absl::Status SetRow(const FlagRow& row, std::string_view value, Draft& draft) {
  absl::Status set = SetFlag(row, value, draft.config);
  if (set.ok()) {
    draft.set.insert(row.name);
    return set;
  }
  return Invalid(IsBoolFlag(row) ? fmt::format("invalid boolean value \"{}\" for -{}: {}", value,
                                               row.name, base::MessageOf(set))
                                 : fmt::format("invalid value \"{}\" for flag -{}: {}", value,
                                               row.name, base::MessageOf(set)));
}

}  // namespace

absl::Status ReadArguments(const std::vector<std::string>& arguments, Draft& draft,
                           CommandLine& line) {
  std::size_t i = 0;
  for (; i < arguments.size(); ++i) {
    ASSIGN_OR_RETURN(const std::optional<Token> token, Split(arguments[i]));
    if (!token.has_value()) {
      if (arguments[i] == "--") ++i;
      break;
    }
    const std::string_view name = token->name;
    const FlagRow* row = FindFlag(name);
    if (row == nullptr && (name == "h" || name == "help")) {
      line.help = true;
      return absl::OkStatus();
    }
    if (name == "version") {
      RETURN_IF_ERROR(SetBool(name, token->value.value_or("true"), line.version));
      continue;
    }
    const bool is_file = name == "config-file";
    if (row == nullptr && !is_file) {
      return Invalid(fmt::format("flag provided but not defined: -{}", name));
    }
    std::string_view value = "true";
    if (token->value.has_value()) {
      value = *token->value;
    } else if (is_file || !IsBoolFlag(*row)) {
      if (i + 1 == arguments.size()) {
        return Invalid(fmt::format("flag needs an argument: -{}", name));
      }
      value = arguments[++i];
    }
    if (is_file) {
      line.config_file = std::string(value);
      line.has_config_file = true;
      continue;
    }
    RETURN_IF_ERROR(SetRow(*row, value, draft));
  }
  if (i < arguments.size()) {
    line.positional = arguments[i];
    line.has_positional = true;
  }
  return absl::OkStatus();
}

absl::Status ReadEnvironment(const std::vector<std::string>& environment, const CommandLine& line,
                             Draft& draft) {
  std::map<std::string, std::string> variables;
  for (const std::string& entry : environment) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos)
      variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  std::set<std::string> used = {"ETCD_CONFIG_FILE"};
  std::set<std::string> shadowed;
  std::vector<const FlagRow*> rows;
  for (const FlagRow& row : FlagRows()) rows.push_back(&row);
  std::ranges::sort(rows, {}, &FlagRow::name);
  for (const FlagRow* row : rows) {
    const std::string key = EnvironmentName(row->name);
    if (draft.Has(row->name)) {
      shadowed.insert(key);
      continue;
    }
    const auto found = variables.find(key);
    if (found == variables.end() || found->second.empty()) continue;
    used.insert(key);
    if (const absl::Status set = SetFlag(*row, found->second, draft.config); !set.ok()) {
      return Invalid(
          fmt::format("invalid value \"{}\" for {}: {}", found->second, key, base::MessageOf(set)));
    }
    draft.set.insert(row->name);
    draft.Log(base::LogLevel::kInfo, "recognized and used environment variable",
              {{"variable-name", key}, {"variable-value", found->second}});
  }
  if (line.version) used.insert("ETCD_VERSION");
  for (const auto& [key, value] : variables) {
    if (used.contains(key)) continue;
    if (shadowed.contains(key)) {
      draft.Log(base::LogLevel::kFatal,
                "conflicting environment variable is shadowed by corresponding command-line flag "
                "(either unset environment variable or disable flag))",
                {{"environment-variable", key}});
      return base::MakeStatus(absl::StatusCode::kAborted, key);
    }
    if (key == "ETCD_VERSION") {
      draft.Log(base::LogLevel::kWarn, "cannot set special environment variable",
                {{"key", key}, {"value", value}});
    } else if (key.starts_with("ETCD_") && key != "ETCD_UNSUPPORTED_ARCH" && key != "ETCD_VERIFY") {
      draft.Log(base::LogLevel::kWarn, "unrecognized environment variable",
                {{"environment-variable", key + "=" + value}});
    }
  }
  return absl::OkStatus();
}

}  // namespace etcd::config
