#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <utility>

#include "bench/load/requests.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Request {
  std::string_view path;
  std::string message;
};

class UnaryRun {
 public:
  explicit UnaryRun(const Options& options)
      : options_(options),
        random_(options.seed),
        value_(static_cast<std::size_t>(options.value_bytes), 'v') {
    outcome_.latencies_us.reserve(static_cast<std::size_t>(options.total));
  }

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
    const Request request = Make();
    const SteadyClock::time_point begin = SteadyClock::now();
    connection.Call(
        request.path, request.message,
        [this, &connection, begin](const Connection::Trailer& trailer, std::string_view message) {
          Finish(trailer.status, message, SteadyClock::now() - begin);
          Next(connection);
        });
  }

  void Finish(int status, std::string_view message, std::chrono::nanoseconds took) {
    ++outcome_.operations;
    if (status != 0) ++outcome_.errors;
    outcome_.response_bytes += static_cast<std::int64_t>(message.size());
    outcome_.AddLatency(took);
  }

  std::string Key() {
    const std::int64_t n =
        options_.sequential
            ? options_.first_key + started_ - 1
            : static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(options_.key_space));
    return KeyOf(n, options_.key_bytes);
  }

  Request Make() {
    const std::string& kind = options_.workload;
    if (kind == "put") return {kPut, PutRequest(Key(), value_)};
    if (kind == "get") return {kRange, RangeRequest(Key(), {})};
    if (kind == "serializable-get") return {kRange, RangeRequest(Key(), {.serializable = true})};
    if (kind == "txn") return {kTxn, UpdateTxn(Key(), value_)};
    if (kind == "mixed") {
      if (random_() % 10 == 0) return {kPut, PutRequest(Key(), value_)};
      return {kRange, RangeRequest(Key(), {})};
    }
    if (kind == "txn-mixed") return MakeMixedTxn();
    if (kind == "count") return {kRange, RangeRequest("k", {.end = kToEnd, .count_only = true})};
    // A page in the middle of the keys, as a paging client asks for it.
    if (kind == "page")
      return {kRange, RangeRequest(Key(), {.end = kToEnd, .limit = options_.limit})};
    return {kRange, RangeRequest("k", {.end = kToEnd})};  // list
  }

  // The read is the first `limit` keys, as in etcd's own mixed benchmark.
  Request MakeMixedTxn() {
    const double reads = options_.rw_ratio / (1 + options_.rw_ratio);
    if (std::uniform_real_distribution<double>()(random_) < reads) {
      return {kTxn, PlainTxn(RangeOp(RangeRequest("k", {.end = kToEnd, .limit = options_.limit})))};
    }
    return {kTxn, PlainTxn(PutOp(PutRequest(Key(), value_)))};
  }

  const Options& options_;
  std::mt19937_64 random_;
  std::string value_;
  std::int64_t started_ = 0;
  Outcome outcome_;
};

}  // namespace

std::string KeyOf(std::int64_t n, int bytes) {
  char buffer[32];
  const int digits = std::snprintf(buffer, sizeof buffer, "%lld", static_cast<long long>(n));
  std::string key = "k";
  const int zeros = bytes - 1 - digits;
  if (zeros > 0) key.append(static_cast<std::size_t>(zeros), '0');
  return key.append(buffer, static_cast<std::size_t>(digits));
}

std::vector<std::unique_ptr<Connection>> Connect(Loop& loop, const Options& options) {
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < static_cast<std::size_t>(options.connections); ++i) {
    const std::uint16_t port =
        options.ports.empty() ? options.port : options.ports[i % options.ports.size()];
    connections.push_back(std::make_unique<Connection>(loop, options.host, port));
  }
  return connections;
}

Outcome RunUnary(const Options& options) { return UnaryRun(options).Run(); }

}  // namespace etcd::bench
