#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/closed_loop.h"
#include "bench/load/requests.h"
#include "bench/load/workload.h"

namespace etcd::bench {
namespace {

struct Request {
  std::string_view path;
  std::string message;
};

class UnaryRun final : public ClosedLoop {
 public:
  explicit UnaryRun(const Options& options)
      : ClosedLoop(options),
        random_(options.seed),
        value_bytes_(static_cast<std::size_t>(options.value_bytes)) {
    noise_.reserve(kNoiseBytes + value_bytes_);
    while (noise_.size() < kNoiseBytes + value_bytes_) {
      noise_.push_back(static_cast<char>(random_()));
    }
  }

 private:
  void Start(Connection& connection, Time begin) override {
    const Request request = Make();
    connection.Call(
        request.path, request.message,
        [this, &connection, begin](const Connection::Trailer& trailer, std::string_view message) {
          Received(message);
          Finish(connection, begin, trailer.status);
        });
  }

  std::string Key() {
    const std::int64_t n = options().sequential
                               ? options().first_key + started() - 1
                               : static_cast<std::int64_t>(
                                     random_() % static_cast<std::uint64_t>(options().key_space));
    return KeyOf(n, options().key_bytes);
  }

  // Random bytes: a server that compresses gets no smaller database than one that does not.
  std::string_view Value() {
    return std::string_view(noise_).substr(random_() % kNoiseBytes, value_bytes_);
  }

  Request Make() {
    const std::string& kind = options().workload;
    if (kind == "put") return {kPut, PutRequest(Key(), Value())};
    if (kind == "get") return {kRange, RangeRequest(Key(), {})};
    if (kind == "serializable-get") return {kRange, RangeRequest(Key(), {.serializable = true})};
    if (kind == "txn") return {kTxn, UpdateTxn(Key(), Value())};
    if (kind == "mixed") {
      if (random_() % 10 == 0) return {kPut, PutRequest(Key(), Value())};
      return {kRange, RangeRequest(Key(), {})};
    }
    if (kind == "txn-mixed") return MakeMixedTxn();
    if (kind == "count") return {kRange, RangeRequest("k", {.end = kToEnd, .count_only = true})};
    // A page in the middle of the keys, as a paging client asks for it.
    if (kind == "page")
      return {kRange, RangeRequest(Key(), {.end = kToEnd, .limit = options().limit})};
    return {kRange, RangeRequest("k", {.end = kToEnd})};  // list
  }

  // The read is the first `limit` keys, as in etcd's own mixed benchmark.
  Request MakeMixedTxn() {
    const double reads = options().rw_ratio / (1 + options().rw_ratio);
    if (std::uniform_real_distribution<double>()(random_) < reads) {
      return {kTxn,
              PlainTxn(RangeOp(RangeRequest("k", {.end = kToEnd, .limit = options().limit})))};
    }
    return {kTxn, PlainTxn(PutOp(PutRequest(Key(), Value())))};
  }

  static constexpr std::size_t kNoiseBytes = 1 << 20;

  std::mt19937_64 random_;
  const std::size_t value_bytes_;
  std::string noise_;
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
