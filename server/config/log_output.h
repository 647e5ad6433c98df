#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "server/base/log.h"
#include "server/config/config.h"

namespace etcd::config {

// One place that lines go to. Called under the lock of the sink. A write that fails is dropped:
// there is nowhere to report it.
class LogOutput {
 public:
  virtual ~LogOutput() = default;
  // `line` is the record as text, its newline included.
  virtual void Write(const base::LogRecord& record, std::string_view line) = 0;
};

// A stream of the process; not closed.
std::unique_ptr<LogOutput> MakeStreamOutput(int fd);

// A file that is appended to; with a rotation it is renamed when it would grow beyond its size, and
// the files that were renamed are compressed and removed by a thread of their own (log_backups.h).
absl::StatusOr<std::unique_ptr<LogOutput>> OpenFileOutput(
    const std::string& path, const std::optional<LogRotation>& rotation);

// systemd's journal: each line a datagram with the fields PRIORITY, PACKAGE (folder of the source),
// SYSLOG_IDENTIFIER and MESSAGE (the line). What it does not take goes to stderr. Error: nothing
// listens at `socket_path`.
absl::StatusOr<std::unique_ptr<LogOutput>> OpenJournalOutput(const std::string& socket_path);

// Writes all of it, or gives up.
void WriteToFd(int fd, std::string_view bytes);

}  // namespace etcd::config
