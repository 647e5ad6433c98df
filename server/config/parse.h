#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/log.h"
#include "server/config/config.h"

// Command line, environment and file -> Config, with etcd's grammar, precedence, messages and exit
// codes (server-surface.md 1). A pure function, so all of it is tested by tables.
namespace etcd::config {

struct Message {
  enum class Kind : std::uint8_t { kStdout, kStderr, kLog };
  Kind kind = Kind::kLog;
  std::string text;  // printed as it is, or the log line's message
  base::LogLevel level = base::LogLevel::kInfo;
  std::vector<base::LogField> fields = {};
};

struct ParseInput {
  std::string program = "etcd";          // argv[0]
  std::vector<std::string> arguments;    // without argv[0]
  std::vector<std::string> environment;  // "NAME=value"
  // Whole file, or an error whose message is the system's ("no such file or directory").
  std::function<absl::StatusOr<std::string>(const std::string& path)> read_file;
  std::string default_host;  // address of the default route; "" when there is none
  std::string commit;        // of the build, for --version
};

struct ParseResult {
  bool proceed = false;  // start with `config`; else exit with `exit_code`
  int exit_code = 0;
  Config config;                  // as far as it was read
  std::vector<Message> messages;  // to be printed in order in any case
};

ParseResult Parse(const ParseInput& input);

// The text of --help, by groups.
std::string HelpText();
std::string UsageText();

}  // namespace etcd::config
