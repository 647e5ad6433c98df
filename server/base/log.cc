#include "server/base/log.h"

#include <atomic>
#include <cstdio>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

#include "server/base/json_text.h"
#include "server/base/log_time.h"
#include "server/base/status.h"

namespace etcd::base {
namespace {

class StderrSink final : public LogSink {
 public:
  void Write(const LogRecord& record) override {
    std::string line = FormatLogJson(record);
    line.push_back('\n');
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
};

// The logger is the one process-wide object: a line may come from anywhere, also from code that
// runs before or after the server object lives.
std::atomic<LogSink*> g_sink{nullptr};
std::atomic<LogLevel> g_level{LogLevel::kInfo};

constexpr std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kFatal:
      return "fatal";
  }
  return "info";
}

void AppendJsonValue(std::string& out, const LogField::Value& value) {
  struct Visitor {
    std::string& out;
    void operator()(const std::string& v) const { AppendJsonString(out, v); }
    void operator()(bool v) const { out += v ? "true" : "false"; }
    void operator()(std::int64_t v) const { fmt::format_to(std::back_inserter(out), "{}", v); }
    void operator()(std::uint64_t v) const { fmt::format_to(std::back_inserter(out), "{}", v); }
    void operator()(double v) const { fmt::format_to(std::back_inserter(out), "{}", v); }
    void operator()(const std::vector<std::string>& v) const {
      out.push_back('[');
      for (std::size_t i = 0; i < v.size(); ++i) {
        if (i > 0) out.push_back(',');
        AppendJsonString(out, v[i]);
      }
      out.push_back(']');
    }
  };
  std::visit(Visitor{out}, value);
}

// "server/node/node.cc" -> "node/node.cc", as zap's short caller.
std::string_view ShortFile(std::string_view file) {
  const std::size_t last = file.rfind('/');
  if (last == std::string_view::npos) return file;
  const std::size_t before = file.rfind('/', last - 1);
  return before == std::string_view::npos ? file : file.substr(before + 1);
}

}  // namespace

std::string FormatLogTime(std::chrono::system_clock::time_point time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(since - seconds).count();
  const std::time_t raw = seconds.count();
  std::tm local{};
  localtime_r(&raw, &local);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &local);
  char zone[8] = "Z";
  if (local.tm_gmtoff != 0) std::strftime(zone, sizeof zone, "%z", &local);
  return fmt::format("{}.{:06}{}", date, micros, zone);
}

LogField::LogField(std::string_view k, std::chrono::nanoseconds v)
    : key(k), value(FormatGoDuration(v)) {}
LogField::LogField(std::string_view k, const absl::Status& v)
    : key(k), value(std::string(MessageOf(v))) {}

void SetLogSink(LogSink* sink) { g_sink.store(sink); }
void SetLogLevel(LogLevel level) { g_level.store(level); }
bool LogEnabled(LogLevel level) { return level >= g_level.load(std::memory_order_relaxed); }

std::string FormatLogJson(const LogRecord& record) {
  std::string out = fmt::format(R"({{"level":"{}","ts":"{}","caller":"{}:{}","msg":)",
                                LevelName(record.level), FormatLogTime(record.time),
                                ShortFile(record.where.file_name()), record.where.line());
  AppendJsonString(out, record.message);
  for (const LogField& field : record.fields) {
    out.push_back(',');
    AppendJsonString(out, field.key);
    out.push_back(':');
    AppendJsonValue(out, field.value);
  }
  out.push_back('}');
  return out;
}

std::string FormatLogConsole(const LogRecord& record) {
  std::string out =
      fmt::format("{}\t{}\t{}:{}\t{}", FormatLogTime(record.time), LevelName(record.level),
                  ShortFile(record.where.file_name()), record.where.line(), record.message);
  if (record.fields.empty()) return out;
  out += "\t{";
  for (const LogField& field : record.fields) {
    if (&field != &record.fields.front()) out += ", ";
    AppendJsonString(out, field.key);
    out += ": ";
    AppendJsonValue(out, field.value);
  }
  out.push_back('}');
  return out;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): every caller gives a temporary.
void EmitLog(LogLevel level, std::string_view message, std::vector<LogField> fields,
             std::source_location where) {
  static StderrSink stderr_sink;
  LogSink* sink = g_sink.load();
  if (sink == nullptr) sink = &stderr_sink;
  sink->Write({level, std::chrono::system_clock::now(), where, message, fields});
}

std::string FormatGoDuration(std::chrono::nanoseconds duration) {
  const std::int64_t total = duration.count();
  if (total == 0) return "0s";
  const std::string sign = total < 0 ? "-" : "";
  const std::uint64_t nanos =
      total < 0 ? ~static_cast<std::uint64_t>(total) + 1 : static_cast<std::uint64_t>(total);
  const auto trimmed = [](std::uint64_t whole, std::uint64_t fraction, int digits) {
    std::string text = fmt::format("{}", whole);
    if (fraction == 0) return text;
    std::string tail = fmt::format("{:0{}}", fraction, digits);
    tail.erase(tail.find_last_not_of('0') + 1);
    return text + "." + tail;
  };
  if (nanos < 1000) return fmt::format("{}{}ns", sign, nanos);
  if (nanos < 1000000) return sign + trimmed(nanos / 1000, nanos % 1000, 3) + "µs";
  if (nanos < 1000000000) return sign + trimmed(nanos / 1000000, nanos % 1000000, 6) + "ms";
  const std::uint64_t seconds = nanos / 1000000000;
  std::string text = sign;
  if (seconds >= 3600) text += fmt::format("{}h", seconds / 3600);
  if (seconds >= 60) text += fmt::format("{}m", seconds / 60 % 60);
  return text + trimmed(seconds % 60, nanos % 1000000000, 9) + "s";
}

}  // namespace etcd::base
