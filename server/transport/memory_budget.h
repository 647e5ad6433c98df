#pragma once

#include <atomic>
#include <cstddef>

namespace etcd::transport {

// Counts the bytes of responses that were made and not yet sent, of all connections. Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  bool Exceeded() const { return used_.load(std::memory_order_relaxed) >= bytes_max_; }
  void Charge(std::size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void Release(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_{0};
};

}  // namespace etcd::transport
