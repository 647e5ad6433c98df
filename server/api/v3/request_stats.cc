#include "server/api/v3/request_stats.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "server/api/v3/wire.h"
#include "server/apply/operation.h"
#include "server/base/bytes.h"
#include "server/base/log.h"
#include "server/base/log_time.h"

namespace etcd::api::v3 {
namespace {

struct Stats {
  std::int64_t request_count = -1;
  std::int64_t request_size = -1;
  std::int64_t response_count = -1;
  std::int64_t response_size = -1;
  std::string content;
};

// Field numbers of InternalRaftRequest.
enum Envelope : std::uint32_t { kRange = 3, kPut = 4, kDeleteRange = 5, kTxn = 6 };

// The text of a request, without values: what the log of requests that are slow to apply has
// between the brackets of "put:<...>".
std::string Describe(Envelope kind, std::string_view request) {
  std::string entry;
  base::AppendMessageField(entry, kind, request);
  const std::string text = apply::DescribeEntry(entry);
  const std::size_t open = text.find('<');
  if (open == std::string::npos || !text.ends_with('>')) return "";
  return text.substr(open + 1, text.size() - open - 2);
}

std::int64_t VarintOf(std::string_view message, std::uint32_t number) {
  std::uint64_t value = 0;
  WireReader reader(message);
  for (WireField field; reader.Next(field);) {
    if (field.IsVarint(number)) value = field.varint;
  }
  return static_cast<std::int64_t>(value);
}

// The operations of a transaction that were carried out: of `success` (2) or of `failure` (3).
void CountOps(std::string_view request, bool succeeded, Stats& stats) {
  WireReader reader(request);
  for (WireField field; reader.Next(field);) {
    if (!field.IsBytes(succeeded ? 2 : 3)) continue;
    ++stats.request_count;
    stats.request_size += static_cast<std::int64_t>(field.bytes.size());
  }
}

// Counts and sizes of a call that failed are those of an empty response.
Stats StatsOf(const UnaryReport& report) {
  const std::string_view path = report.context.path;
  const std::string_view request = report.request;
  const std::string head = report.response.ok() ? report.response->head.Flatten() : "";
  Stats stats;
  if (path == "/etcdserverpb.KV/Range") {
    // The count stands before the part that is read while it is sent (range_body.cc).
    stats = {0, 0, VarintOf(head, 4), 0, Describe(kRange, request)};
  } else if (path == "/etcdserverpb.KV/Put") {
    stats = {1, 0, 0, 0, Describe(kPut, request)};
  } else if (path == "/etcdserverpb.KV/DeleteRange") {
    stats = {0, 0, VarintOf(head, 2), 0, Describe(kDeleteRange, request)};
  } else if (path == "/etcdserverpb.KV/Txn") {
    stats = {0, 0, 0, 0, ""};
    if (!report.response.ok()) return stats;
    CountOps(request, VarintOf(head, 2) != 0, stats);
    stats.content = Describe(kTxn, request);
    stats.response_size = static_cast<std::int64_t>(report.response->size());
    return stats;
  } else {
    return stats;
  }
  stats.request_size = static_cast<std::int64_t>(request.size());
  stats.response_size =
      report.response.ok() ? static_cast<std::int64_t>(report.response->size()) : 0;
  return stats;
}

}  // namespace

void LogRequestStats(const UnaryReport& report) {
  Stats stats = StatsOf(report);
  std::vector<base::LogField> fields = {{"start time", base::FormatLogTime(report.start)},
                                        {"time spent", report.took},
                                        {"remote", report.context.peer},
                                        {"response type", report.context.path},
                                        {"request count", stats.request_count},
                                        {"request size", stats.request_size},
                                        {"response count", stats.response_count},
                                        {"response size", stats.response_size},
                                        {"request content", std::move(stats.content)}};
  const bool debug = base::LogEnabled(base::LogLevel::kDebug);
  base::EmitLog(debug ? base::LogLevel::kDebug : base::LogLevel::kWarn, "request stats",
                std::move(fields), std::source_location::current());
}

}  // namespace etcd::api::v3
