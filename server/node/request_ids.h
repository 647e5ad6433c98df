#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "server/base/clock.h"
#include "server/base/ids.h"

namespace etcd::node {

// Ids that no other proposal and no other read index in flight in the cluster has, nor had under an
// earlier process of this member, as far as the wall clock does not go back between two starts
// (raft-peer-storage.md 5.3):
//
//   | low 16 bits of the member id | 48 bits: (unix ms at start & 0xffffffffff) << 8, then +1 each
//   |
//
// Thread-safe.
class RequestIds {
 public:
  RequestIds(MemberId member, base::Clock::Wall now)
      : prefix_((member.value() & 0xffff) << 48), suffix_(StartOf(now)) {}

  RequestId Next() {
    const std::uint64_t next = suffix_.fetch_add(1, std::memory_order_relaxed) + 1;
    return RequestId(prefix_ | (next & kSuffixMask));
  }

 private:
  static constexpr std::uint64_t kSuffixMask = (1ULL << 48) - 1;

  static std::uint64_t StartOf(base::Clock::Wall now) {
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    return (static_cast<std::uint64_t>(ms) & 0xffffffffffULL) << 8;
  }

  const std::uint64_t prefix_;
  std::atomic<std::uint64_t> suffix_;
};

}  // namespace etcd::node
