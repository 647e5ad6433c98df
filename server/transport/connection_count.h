#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace etcd::transport {

// The open connections of a server. Thread-safe.
class ConnectionCount {
 public:
  std::size_t load() const { return count_.load(std::memory_order_relaxed); }
  void Add() { count_.fetch_add(1); }
  void Remove() {
    // Under the lock, so that a waiter cannot miss the last one.
    const std::lock_guard lock(mu_);
    if (count_.fetch_sub(1) == 1) none_.notify_all();
  }
  void WaitUntilNone(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mu_);
    none_.wait_until(lock, deadline, [this] { return count_.load() == 0; });
  }

 private:
  std::atomic<std::size_t> count_{0};
  std::mutex mu_;
  std::condition_variable none_;
};

}  // namespace etcd::transport
