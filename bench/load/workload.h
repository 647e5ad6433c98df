#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/load/http2_client.h"

namespace etcd::bench {

struct Options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 2379;
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
};

// Unary workloads: put, get, serializable-get, mixed, txn, count, page, list, lease-keepalive is
// a stream workload below.
Outcome RunUnary(const Options& options);

// `clients` streams with `watchers_per_stream` watchers of one key each; puts to that key until
// `total` events arrived.
Outcome RunWatch(const Options& options);

// `clients` keepalive streams, one lease each, `total` renewals.
Outcome RunKeepAlive(const Options& options);

// Key number `n` of `bytes` bytes: zero-padded decimal, "k" in front.
std::string KeyOf(std::int64_t n, int bytes);

std::vector<std::unique_ptr<Connection>> Connect(Loop& loop, const Options& options);

}  // namespace etcd::bench
