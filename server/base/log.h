#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <absl/status/status.h>

#include "server/base/strong_int.h"

// Structured log lines shaped like zap's: a constant lower-case message and key/value fields.
// Never a key's value, a password or a token.
namespace etcd::base {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kFatal };

struct LogField {
  using Value = std::variant<std::string, std::int64_t, std::uint64_t, double, bool,
                             std::vector<std::string>>;
  std::string_view key;
  Value value;

  LogField(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  LogField(std::string_view k, std::vector<std::string> v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <typename Int>
  requires(std::is_integral_v<Int> && !std::is_same_v<Int, bool>)
      LogField(std::string_view k, Int v)
      : key(k), value(Widen(v)) {}
  template <typename Tag, typename Rep>
  LogField(std::string_view k, StrongInt<Tag, Rep> v) : key(k), value(Widen(v.value())) {}
  // Printed as Go prints durations: "1.5s".
  LogField(std::string_view k, std::chrono::nanoseconds v);
  LogField(std::string_view k, const absl::Status& v);

 private:
  template <typename Int>
  static Value Widen(Int v) {
    if constexpr (std::is_signed_v<Int>) {
      return static_cast<std::int64_t>(v);
    } else {
      return static_cast<std::uint64_t>(v);
    }
  }
};

struct LogRecord {
  LogLevel level;
  std::chrono::system_clock::time_point time;
  std::source_location where;
  std::string_view message;
  const std::vector<LogField>& fields;
};

// Where lines go. Thread-safe. The server's is made from the flags (config/logging); until it is
// installed, lines go to stderr as JSON.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void Write(const LogRecord& record) = 0;
};

// Installs the sink, which must live until the process ends or another is installed. Null restores
// the default.
void SetLogSink(LogSink* sink);
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);

// One line, with no newline at its end: {"level":"info","ts":"...","caller":"...","msg":...,...}
std::string FormatLogJson(const LogRecord& record);
// The same tab-separated: time, level, caller, message, fields as a JSON object (none when empty).
std::string FormatLogConsole(const LogRecord& record);

void EmitLog(LogLevel level, std::string_view message, std::vector<LogField> fields,
             std::source_location where);

// Go's time.Duration.String: "1m30s", "1.5s", "100ms", "0s".
std::string FormatGoDuration(std::chrono::nanoseconds duration);

}  // namespace etcd::base

#define ETCD_LOG_(level, message, ...)                                                        \
  do {                                                                                        \
    if (::etcd::base::LogEnabled(level))                                                      \
      ::etcd::base::EmitLog(level, message, std::vector<::etcd::base::LogField>{__VA_ARGS__}, \
                            std::source_location::current());                                 \
  } while (false)

// LOG_INFO("became leader", {"term", term}, {"leader", id});
#define LOG_DEBUG(...) ETCD_LOG_(::etcd::base::LogLevel::kDebug, __VA_ARGS__)
#define LOG_INFO(...) ETCD_LOG_(::etcd::base::LogLevel::kInfo, __VA_ARGS__)
#define LOG_WARN(...) ETCD_LOG_(::etcd::base::LogLevel::kWarn, __VA_ARGS__)
#define LOG_ERROR(...) ETCD_LOG_(::etcd::base::LogLevel::kError, __VA_ARGS__)
