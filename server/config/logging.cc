#include "server/config/logging.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/config/log_sampler.h"
#include "server/config/parse.h"

namespace etcd::config {
namespace {

// One place that lines go to: a stream of the process, or a file that is appended to. A write that
// fails is dropped: there is nowhere to report it.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  Output(int fd, std::string path, std::optional<LogRotation> rotation)
      : fd_(fd), path_(std::move(path)), rotation_(rotation) {
    struct stat info {};
    if (fstat(fd_, &info) == 0) bytes_ = static_cast<std::uint64_t>(info.st_size);
  }
  Output(Output&& other) noexcept { *this = std::move(other); }
  Output& operator=(Output&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(rotation_, other.rotation_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Output() {
    if (!path_.empty() && fd_ >= 0) close(fd_);
  }

  void Write(std::string_view line, base::Clock::Wall now) {
    if (rotation_.has_value() && bytes_ > 0 && bytes_ + line.size() > LimitBytes()) Rotate(now);
    bytes_ += line.size();
    while (!line.empty()) {
      const ssize_t written = write(fd_, line.data(), line.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      line.remove_prefix(static_cast<std::size_t>(written));
    }
  }

 private:
  std::uint64_t LimitBytes() const {
    return static_cast<std::uint64_t>(rotation_->max_megabytes) * 1024 * 1024;
  }

  // "dir/x.log" -> "dir/x-2026-01-02T15-04-05.000.log", the names that etcd's rotation gives.
  std::string BackupName(base::Clock::Wall now) const {
    const std::time_t seconds = base::Clock::Wall::clock::to_time_t(now);
    const auto millis =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() %
        1000;
    std::tm parts{};
    rotation_->local_time ? localtime_r(&seconds, &parts) : gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H-%M-%S", &parts);
    const std::filesystem::path path(path_);
    return (path.parent_path() / fmt::format("{}-{}.{:03}{}", path.stem().string(), text, millis,
                                             path.extension().string()))
        .string();
  }

  void Rotate(base::Clock::Wall now) {
    std::error_code ignored;
    std::filesystem::rename(path_, BackupName(now), ignored);
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;  // go on in the renamed file
    close(fd_);
    fd_ = fd;
    bytes_ = 0;
    Prune(now);
  }

  // Removes backups beyond the count and the age that were asked for.
  void Prune(base::Clock::Wall now) const {
    const std::filesystem::path path(path_);
    const std::string prefix = path.stem().string() + "-";
    std::error_code error;
    std::vector<std::filesystem::path> backups;
    const auto dir = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix) && entry.path().extension() == path.extension()) {
        backups.push_back(entry.path());
      }
    }
    std::ranges::sort(backups, std::ranges::greater());  // newest first: names hold the time
    const auto keep = static_cast<std::size_t>(rotation_->max_backups);
    for (std::size_t i = 0; i < backups.size(); ++i) {
      struct stat info {};
      if (stat(backups[i].c_str(), &info) != 0) continue;
      const auto age = now - base::Clock::Wall::clock::from_time_t(info.st_mtime);
      const bool too_old =
          rotation_->max_days > 0 && age > std::chrono::hours(24 * rotation_->max_days);
      if ((keep > 0 && i >= keep) || too_old) std::filesystem::remove(backups[i], error);
    }
  }

  int fd_ = -1;
  std::string path_;  // empty: a stream of the process, never closed
  std::optional<LogRotation> rotation_;
  std::uint64_t bytes_ = 0;
};

class Sink final : public base::LogSink {
 public:
  Sink(std::vector<Output> outputs, bool console, const base::Clock& clock)
      : outputs_(std::move(outputs)), console_(console), clock_(clock) {}

  void Write(const base::LogRecord& record) override {
    std::string line = console_ ? FormatLogConsole(record) : FormatLogJson(record);
    line.push_back('\n');
    const std::lock_guard lock(mu_);
    if (!sampler_.Admit(record.level, record.message, clock_.Now())) return;
    for (Output& output : outputs_) output.Write(line, record.time);
  }

 private:
  std::mutex mu_;
  std::vector<Output> outputs_;  // guarded by mu_
  LogSampler sampler_;           // guarded by mu_
  const bool console_;
  const base::Clock& clock_;
};

absl::StatusOr<Output> OpenOutput(const std::string& target, const Config& config) {
  if (target == "default" || target == "stderr") return Output(STDERR_FILENO);
  if (target == "stdout") return Output(STDOUT_FILENO);
  const int fd = open(target.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    return base::MakeStatus(absl::StatusCode::kInternal,
                            fmt::format("open {}: {}", target, std::strerror(errno)));
  }
  return Output(fd, target, config.log_rotation);
}

}  // namespace

absl::StatusOr<std::unique_ptr<base::LogSink>> OpenLogSink(const Config& config,
                                                           const base::Clock& clock) {
  std::vector<std::string> targets = config.log_outputs;
  std::ranges::sort(targets);
  const auto repeated = std::ranges::unique(targets);
  targets.erase(repeated.begin(), repeated.end());
  std::vector<Output> outputs;
  const bool discard = std::ranges::find(targets, "/dev/null") != targets.end();
  for (const std::string& target : targets) {
    if (discard) break;
    ASSIGN_OR_RETURN(Output output, OpenOutput(target, config));
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
