#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/load/http2_client.h"

namespace etcd::bench {

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 2379;
  std::vector<std::uint16_t> ports;  // all members', `port` first; connections take turns
  std::string workload = "put";
  int connections = 1;
  int clients = 1;             // closed-loop callers, spread over the connections
  std::int64_t total = 10000;  // calls (watch: events)
  std::int64_t key_space = 100000;
  int key_bytes = 8;
  int value_bytes = 256;
  bool sequential = false;  // keys first_key, first_key + 1, ... instead of random ones
  std::int64_t first_key = 0;
  std::int64_t limit = 0;
  int watchers_per_stream = 100;
  double rw_ratio = 1;  // txn-mixed: ranges per put
  double rate = 100;    // open-loop workloads: puts (kubernetes: keepalives) per second
  double gets_rate = 1000;
  double seconds = 600;  // background: longest run; SIGTERM ends it earlier
  int server_pid = 0;
  std::uint64_t seed = 1;
};

// What a run gave. Latencies in microseconds.
struct Outcome {
  std::int64_t operations = 0;
  std::int64_t errors = 0;
  std::int64_t response_bytes = 0;
  std::chrono::nanoseconds elapsed{0};
  std::vector<std::uint32_t> latencies_us;
  std::vector<std::pair<std::string, double>> extra;  // further figures of the JSON object

  void AddLatency(std::chrono::nanoseconds took) {
    latencies_us.push_back(
        static_cast<std::uint32_t>(std::max<std::int64_t>(took.count(), 0) / 1000));
  }
};

// Unary workloads: put, get, serializable-get, mixed, txn, txn-mixed, count, page, list.
Outcome RunUnary(const Options& options);

// paged-list: each operation reads all keys in pages of `limit` at one revision; range-stream: the
// same by KV.RangeStream.
Outcome RunLists(const Options& options);

// What an API server with its controllers does, on `key_space` objects: see kubernetes.cc.
Outcome RunKubernetes(const Options& options);

// `rate` puts/s and `gets_rate` gets/s at fixed times whatever the server does, until SIGTERM; it
// connects again when the server comes back.
Outcome RunBackground(const Options& options);

// watch-distinct: `clients` streams with `watchers_per_stream` watchers, every one of its own key.
Outcome RunWatchDistinct(const Options& options);

// watch-latency: `clients` streams x `watchers_per_stream` watchers of one key with prev_kv,
// `rate` puts/s, `total` puts: latency is from sending the put to receiving the event.
Outcome RunWatchLatency(const Options& options);

// `clients` streams with `watchers_per_stream` watchers of one key each; puts to that key until
// `total` events arrived.
Outcome RunWatch(const Options& options);

// `clients` keepalive streams, one lease each, `total` renewals.
Outcome RunKeepAlive(const Options& options);

// Key number `n` of `bytes` bytes: zero-padded decimal, "k" in front.
std::string KeyOf(std::int64_t n, int bytes);

std::vector<std::unique_ptr<Connection>> Connect(Loop& loop, const Options& options);

}  // namespace etcd::bench
