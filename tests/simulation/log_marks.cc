#include "tests/simulation/log_marks.h"

#include <string>

namespace etcd::simulation {

LogMarks::LogMarks(World& world) : world_(world) {
  base::SetLogSink(this);
  base::SetLogLevel(base::LogLevel::kInfo);
}

LogMarks::~LogMarks() {
  base::SetLogLevel(base::LogLevel::kFatal);
  base::SetLogSink(nullptr);
}

void LogMarks::Write(const base::LogRecord& record) {
  world_.Count("log: " + std::string(record.message));
  // Time, level, caller, message, fields.
  const std::string line = base::FormatLogConsole(record);
  const std::size_t time_end = line.find('\t');
  world_.Note("log: " + line.substr(time_end == std::string::npos ? 0 : time_end + 1));
}

}  // namespace etcd::simulation
