#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "server/config/flag_table.h"
#include "server/config/parse.h"

// The three places values come from, and what is done with all of them afterwards. Private to this
// folder.
namespace etcd::config {

struct Draft {
  Config config;
  std::set<std::string_view> set;  // rows that were given, by name, old names included
  bool from_file = false;
  std::vector<Message> messages;

  bool Has(std::string_view flag) const { return set.contains(flag); }
  void Log(base::LogLevel level, std::string text, std::vector<base::LogField> fields = {}) {
    messages.push_back({Message::Kind::kLog, std::move(text), level, std::move(fields)});
  }
};

// What the command line says apart from values of rows.
struct CommandLine {
  bool help = false;
  bool version = false;
  std::string config_file;
  bool has_config_file = false;
  std::string positional;  // first argument that is no flag
  bool has_positional = false;
};

// Go's flag grammar. A failed status carries the line to print; the exit code is then 2.
absl::Status ReadArguments(const std::vector<std::string>& arguments, Draft& draft,
                           CommandLine& line);

// A failed status ends the process with 1. kAborted: the fatal line is already in the messages.
absl::Status ReadEnvironment(const std::vector<std::string>& environment, const CommandLine& line,
                             Draft& draft);

// `text` of the YAML file.
absl::Status ReadFile(std::string_view text, Draft& draft);

// Old names, defaults that depend on others, every check; fills the derived fields.
absl::Status Finish(std::string_view default_host, Draft& draft);

// The checks of Finish that look at URLs.
absl::Status CheckUrls(const Draft& draft);
// Reads initial_cluster into initial_members and bootstrap.
void ReadCluster(Config& config);

inline constexpr std::string_view kUnsetAdvertiseClientUrls =
    "--advertise-client-urls is required when --listen-client-urls is set explicitly";

}  // namespace etcd::config
