#include "bench/load/closed_loop.h"

#include <cstddef>
#include <utility>

namespace etcd::bench {

Outcome ClosedLoop::Run() {
  outcome_.latencies_us.reserve(static_cast<std::size_t>(options_.total));
  Loop loop;
  const auto connections = Connect(loop, options_);
  const Time start = std::chrono::steady_clock::now();
  for (int i = 0; i < options_.clients; ++i) {
    Next(*connections[static_cast<std::size_t>(i) % connections.size()]);
  }
  for (const auto& connection : connections) connection->Flush();
  loop.RunUntil([this] { return outcome_.operations == options_.total; });
  outcome_.elapsed = std::chrono::steady_clock::now() - start;
  return std::move(outcome_);
}

void ClosedLoop::Next(Connection& connection) {
  if (started_ == options_.total) return;
  ++started_;
  Start(connection, std::chrono::steady_clock::now());
}

void ClosedLoop::Finish(Connection& connection, Time begin, int status) {
  ++outcome_.operations;
  if (status != 0) ++outcome_.errors;
  outcome_.AddLatency(std::chrono::steady_clock::now() - begin);
  Next(connection);
}

}  // namespace etcd::bench
