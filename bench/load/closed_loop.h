#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "bench/load/workload.h"

namespace etcd::bench {

// `clients` callers, spread over the connections: each starts an operation when its last one has
// ended, until `total` are done. Single-threaded.
class ClosedLoop {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit ClosedLoop(const Options& options) : options_(options) {}
  virtual ~ClosedLoop() = default;
  Outcome Run();

 protected:
  // Begins one operation, which ends with Finish.
  virtual void Start(Connection& connection, Time begin) = 0;
  void Finish(Connection& connection, Time begin, int status);
  void Received(std::string_view message) {
    outcome_.response_bytes += static_cast<std::int64_t>(message.size());
  }
  const Options& options() const { return options_; }
  std::int64_t started() const { return started_; }  // the one that Start begins included

 private:
  void Next(Connection& connection);

  const Options& options_;
  std::int64_t started_ = 0;
  Outcome outcome_;
};

}  // namespace etcd::bench
