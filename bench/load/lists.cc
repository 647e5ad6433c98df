#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "bench/load/requests.h"
#include "bench/load/wire_reader.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// `total` full reads of all keys, each in several messages.
class ListRun {
 public:
  explicit ListRun(const Options& options)
      : options_(options), by_stream_(options.workload == "range-stream") {}

  Outcome Run() {
    Loop loop;
    const auto connections = Connect(loop, options_);
    const SteadyClock::time_point start = SteadyClock::now();
    for (int i = 0; i < options_.clients; ++i) {
      Next(*connections[static_cast<std::size_t>(i) % connections.size()]);
    }
    for (const auto& connection : connections) connection->Flush();
    loop.RunUntil([this] { return outcome_.operations == options_.total; });
    outcome_.elapsed = SteadyClock::now() - start;
    return std::move(outcome_);
  }

 private:
  void Next(Connection& connection) {
    if (started_ == options_.total) return;
    ++started_;
    const SteadyClock::time_point begin = SteadyClock::now();
    if (by_stream_) {
      connection.CallStream(
          kRangeStream, RangeRequest("k", {.end = kToEnd}),
          [this](std::string_view message) { Received(message.size()); },
          [this, &connection, begin](const Connection::Trailer& trailer, std::string_view) {
            Finish(connection, begin, trailer.status);
          });
    } else {
      Page(connection, begin, "k", 0);
    }
  }

  // Reads the page from `first` on, at the revision of the first page, as a paging client does.
  void Page(Connection& connection, SteadyClock::time_point begin, std::string_view first,
            std::int64_t revision) {
    connection.Call(
        kRange, RangeRequest(first, {.end = kToEnd, .limit = options_.limit, .revision = revision}),
        [this, &connection, begin, revision](const Connection::Trailer& trailer,
                                             std::string_view message) {
          Received(message.size());
          const bool more = VarintOf(message, 3) != 0;
          if (trailer.status != 0 || !more) {
            Finish(connection, begin, trailer.status);
            return;
          }
          std::string next(BytesOf(BytesOf(message, 2), 1));  // the last key
          next.push_back('\0');
          Page(connection, begin, next, revision == 0 ? RevisionOf(message) : revision);
        });
  }

  void Received(std::size_t bytes) { outcome_.response_bytes += static_cast<std::int64_t>(bytes); }

  void Finish(Connection& connection, SteadyClock::time_point begin, int status) {
    ++outcome_.operations;
    if (status != 0) ++outcome_.errors;
    outcome_.AddLatency(SteadyClock::now() - begin);
    Next(connection);
  }

  const Options& options_;
  const bool by_stream_;
  std::int64_t started_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome RunLists(const Options& options) { return ListRun(options).Run(); }

}  // namespace etcd::bench
