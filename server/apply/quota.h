#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace etcdserverpb {
class PutRequest;
class TxnRequest;
}  // namespace etcdserverpb

namespace etcd::apply {

// What a request is charged (v3-api.md 3.7). A transaction costs its dearer branch.
std::uint64_t CostOfPut(std::size_t key_bytes, std::size_t value_bytes);
std::uint64_t CostOf(const etcdserverpb::PutRequest& put);
std::uint64_t CostOf(const etcdserverpb::TxnRequest& txn);
inline constexpr std::uint64_t kLeaseGrantCost = 64;

// The space that the backend may take. Thread-safe: the size is refreshed by the node and estimated
// in between by what apply has written.
class Quota {
 public:
  static constexpr std::int64_t kDefaultBytes = 2LL << 30;

  // As in --quota-backend-bytes: 0 is the default, negative is none.
  explicit Quota(std::int64_t bytes) : bytes_(bytes == 0 ? kDefaultBytes : bytes) {}

  std::int64_t bytes() const { return bytes_; }
  bool Admits(std::uint64_t cost) const {
    return bytes_ < 0 || cost == 0 ||
           used_.load(std::memory_order_relaxed) + cost < static_cast<std::uint64_t>(bytes_);
  }
  void SetUsed(std::uint64_t bytes) { used_.store(bytes, std::memory_order_relaxed); }
  void AddUsed(std::uint64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }

 private:
  const std::int64_t bytes_;
  std::atomic<std::uint64_t> used_{0};
};

}  // namespace etcd::apply
