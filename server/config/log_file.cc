#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "server/base/status.h"
#include "server/config/log_backups.h"
#include "server/config/log_output.h"

namespace etcd::config {
namespace {

constexpr mode_t kFileMode = 0600;

class StreamOutput final : public LogOutput {
 public:
  explicit StreamOutput(int fd) : fd_(fd) {}
  void Write(const base::LogRecord&, std::string_view line) override { WriteToFd(fd_, line); }

 private:
  const int fd_;
};

int OpenForAppend(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kFileMode);
}

class FileOutput final : public LogOutput {
 public:
  FileOutput(int fd, std::string path, const std::optional<LogRotation>& rotation)
      : fd_(fd), path_(std::move(path)) {
    struct stat info {};
    if (fstat(fd_, &info) == 0) bytes_ = static_cast<std::uint64_t>(info.st_size);
    if (!rotation.has_value()) return;
    bytes_max_ = static_cast<std::uint64_t>(rotation->max_megabytes) * 1024 * 1024;
    backups_ = std::make_unique<LogBackups>(path_, *rotation);
  }
  ~FileOutput() override { close(fd_); }
  FileOutput(const FileOutput&) = delete;
  FileOutput& operator=(const FileOutput&) = delete;

  void Write(const base::LogRecord& record, std::string_view line) override {
    if (backups_ != nullptr) {
      if (bytes_ > 0 && bytes_ + line.size() > bytes_max_) Rotate(record.time);
      // Also of an earlier run, which may have ended in the middle of its work.
      if (!std::exchange(looked_after_, true)) backups_->LookAfter(record.time);
    }
    bytes_ += line.size();
    WriteToFd(fd_, line);
  }

 private:
  void Rotate(base::Clock::Wall now) {
    std::error_code ignored;
    std::filesystem::rename(path_, backups_->NameAt(now), ignored);
    const int fd = OpenForAppend(path_);
    if (fd < 0) return;  // go on in the renamed file
    close(fd_);
    fd_ = fd;
    bytes_ = 0;
    looked_after_ = false;
  }

  int fd_;
  const std::string path_;
  std::uint64_t bytes_ = 0;
  std::uint64_t bytes_max_ = 0;
  std::unique_ptr<LogBackups> backups_;  // null: no rotation
  bool looked_after_ = false;            // since the last rotation
};

}  // namespace

void WriteToFd(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::unique_ptr<LogOutput> MakeStreamOutput(int fd) { return std::make_unique<StreamOutput>(fd); }

absl::StatusOr<std::unique_ptr<LogOutput>> OpenFileOutput(
    const std::string& path, const std::optional<LogRotation>& rotation) {
  const int fd = OpenForAppend(path);
  if (fd < 0) {
    return base::MakeStatus(absl::StatusCode::kInternal,
                            fmt::format("open {}: {}", path, std::strerror(errno)));
  }
  return std::make_unique<FileOutput>(fd, path, rotation);
}

}  // namespace etcd::config
