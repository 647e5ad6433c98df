#include "server/config/logging.h"

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/config/log_output.h"
#include "server/config/log_sampler.h"
#include "server/config/parse.h"

namespace etcd::config {
namespace {

class Sink final : public base::LogSink {
 public:
  Sink(std::vector<std::unique_ptr<LogOutput>> outputs, bool console, const base::Clock& clock)
      : outputs_(std::move(outputs)), console_(console), clock_(clock) {}

  void Write(const base::LogRecord& record) override {
    std::string line = console_ ? FormatLogConsole(record) : FormatLogJson(record);
    line.push_back('\n');
    const std::lock_guard lock(mu_);
    if (!sampler_.Admit(record.level, record.message, clock_.Now())) return;
    for (const auto& output : outputs_) output->Write(record, line);
  }

 private:
  std::mutex mu_;
  const std::vector<std::unique_ptr<LogOutput>> outputs_;  // used under mu_
  LogSampler sampler_;                                     // guarded by mu_
  const bool console_;
  const base::Clock& clock_;
};

absl::StatusOr<std::unique_ptr<LogOutput>> OpenOutput(const std::string& target,
                                                      const Config& config,
                                                      const std::string& journal_socket) {
  if (target == "default" || target == "stderr") return MakeStreamOutput(STDERR_FILENO);
  if (target == "stdout") return MakeStreamOutput(STDOUT_FILENO);
  if (target == "systemd/journal") return OpenJournalOutput(journal_socket);
  return OpenFileOutput(target, config.log_rotation);
}

}  // namespace

absl::StatusOr<std::unique_ptr<base::LogSink>> OpenLogSink(const Config& config,
                                                           const base::Clock& clock,
                                                           const std::string& journal_socket) {
  std::vector<std::string> targets = config.log_outputs;
  std::ranges::sort(targets);
  const auto repeated = std::ranges::unique(targets);
  targets.erase(repeated.begin(), repeated.end());
  std::vector<std::unique_ptr<LogOutput>> outputs;
  const bool discard = std::ranges::find(targets, "/dev/null") != targets.end();
  for (const std::string& target : targets) {
    if (discard) break;
    ASSIGN_OR_RETURN(auto output, OpenOutput(target, config, journal_socket));
    outputs.push_back(std::move(output));
  }
  return std::make_unique<Sink>(std::move(outputs), config.log_format == "console", clock);
}

base::LogLevel LogLevelOf(const Config& config) {
  if (config.log_level == "debug") return base::LogLevel::kDebug;
  if (config.log_level == "info") return base::LogLevel::kInfo;
  if (config.log_level == "warn") return base::LogLevel::kWarn;
  return config.log_level == "error" ? base::LogLevel::kError : base::LogLevel::kFatal;
}

void Print(const ParseResult& result) {
  for (const Message& message : result.messages) {
    if (message.kind == Message::Kind::kLog) {
      if (base::LogEnabled(message.level)) {
        base::EmitLog(message.level, message.text, message.fields, std::source_location::current());
      }
      continue;
    }
    std::FILE* stream = message.kind == Message::Kind::kStdout ? stdout : stderr;
    std::fwrite(message.text.data(), 1, message.text.size(), stream);
    std::fflush(stream);
  }
}

}  // namespace etcd::config
