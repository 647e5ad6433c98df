#include "server/config/parse.h"

#include <algorithm>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/config/sources.h"
#include "server/config/version.h"

namespace etcd::config {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

ParseResult Stop(Draft draft, int exit_code) {
  return {false, exit_code, std::move(draft.config), std::move(draft.messages)};
}

ParseResult StopWithText(Draft draft, Message::Kind kind, std::string text, int exit_code) {
  draft.messages.push_back({kind, std::move(text)});
  return Stop(std::move(draft), exit_code);
}

std::string VersionText(const ParseInput& input) {
  return fmt::format(
      "etcd Version: {}\nGit SHA: {}\nGo Version: none (C++, GCC {}.{})\nGo OS/Arch: linux/{}\n"
      "etcd in C++: {}, commit {}\n",
      kEtcdVersion, input.commit, __GNUC__, __GNUC_MINOR__,
#if defined(__x86_64__)
      "amd64",
#elif defined(__aarch64__)
      "arm64",
#else
      "unknown",
#endif
      kOwnVersion, input.commit);
}

// Command line and environment, or the file alone.
absl::Status ReadSources(const ParseInput& input, CommandLine& line, Draft& draft) {
  if (!line.has_config_file) {
    constexpr std::string_view kVariable = "ETCD_CONFIG_FILE=";
    for (const std::string& entry : input.environment) {
      if (entry.starts_with(kVariable)) line.config_file = entry.substr(kVariable.size());
    }
  }
  if (line.config_file.empty()) return ReadEnvironment(input.environment, line, draft);
  draft.Log(base::LogLevel::kInfo,
            "loaded server configuration, other configuration command line flags and environment "
            "variables will be ignored if provided",
            {{"path", line.config_file}});
  const absl::StatusOr<std::string> text = input.read_file(line.config_file);
  if (!text.ok()) {
    return base::MakeStatus(
        absl::StatusCode::kNotFound,
        fmt::format("open {}: {}", line.config_file, base::MessageOf(text.status())));
  }
  draft.config = Config();
  draft.set.clear();
  return ReadFile(*text, draft);
}

void LogArguments(const ParseInput& input, Draft& draft) {
  std::vector<std::string> args = {input.program};
  args.insert(args.end(), input.arguments.begin(), input.arguments.end());
  draft.Log(base::LogLevel::kInfo, "Running: ", {{"args", std::move(args)}});
}

ParseResult Fail(Draft draft, const absl::Status& status) {
  if (status.code() == absl::StatusCode::kAborted) {
    if (draft.from_file) {
      return StopWithText(std::move(draft), Message::Kind::kStderr,
                          fmt::format("{}\n", base::MessageOf(status)), kExitFailure);
    }
    return Stop(std::move(draft), kExitFailure);  // the fatal line is there already
  }
  draft.Log(base::LogLevel::kWarn, "failed to verify flags", {{"error", status}});
  if (base::MessageOf(status) == kUnsetAdvertiseClientUrls) {
    draft.Log(base::LogLevel::kWarn, "advertise client URLs are not set", {{"error", status}});
  }
  return Stop(std::move(draft), kExitFailure);
}

// Go's logger panics over a level that it does not know.
bool KnownLogLevel(const std::string& level) {
  constexpr std::string_view kLevels[] = {"debug",  "info",  "warn", "error",
                                          "dpanic", "panic", "fatal"};
  return std::ranges::find(kLevels, level) != std::end(kLevels);
}

}  // namespace

ParseResult Parse(const ParseInput& input) {
  Draft draft;
  CommandLine line;
  if (const absl::Status read = ReadArguments(input.arguments, draft, line); !read.ok()) {
    return StopWithText(std::move(draft), Message::Kind::kStderr,
                        fmt::format("{}\n{}", base::MessageOf(read), UsageText()), kExitUsage);
  }
  if (line.help) {
    draft.messages.push_back({Message::Kind::kStderr, UsageText()});
    return StopWithText(std::move(draft), Message::Kind::kStdout, HelpText(), 0);
  }
  if (line.has_positional) {
    LogArguments(input, draft);
    return Fail(std::move(draft),
                base::MakeStatus(absl::StatusCode::kInvalidArgument,
                                 fmt::format("\"{}\" is not a valid flag", line.positional)));
  }
  if (line.version) {
    return StopWithText(std::move(draft), Message::Kind::kStdout, VersionText(input), 0);
  }
  const absl::Status read_sources = ReadSources(input, line, draft);
  if (read_sources.code() != absl::StatusCode::kAborted) LogArguments(input, draft);
  if (!read_sources.ok()) {
    return Fail(std::move(draft), read_sources);
  }
  if (!KnownLogLevel(draft.config.log_level)) {
    // Not as an argument: the draft may have moved before the text is made.
    std::string text = fmt::format("unrecognized level: \"{}\"\n", draft.config.log_level);
    return StopWithText(std::move(draft), Message::Kind::kStderr, std::move(text), kExitUsage);
  }
  if (const absl::Status done = Finish(input.default_host, draft); !done.ok()) {
    return Fail(std::move(draft), done);
  }
  return {true, 0, std::move(draft.config), std::move(draft.messages)};
}

}  // namespace etcd::config
