#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "server/base/clock.h"
#include "server/base/log.h"

namespace etcd::config {

// zap's sampling: of the lines with one level and message, the first 100 of a second pass and then
// every 100th. Messages share counters by hash, as zap's do. Not thread-safe.
class LogSampler {
 public:
  bool Admit(base::LogLevel level, std::string_view message, base::Clock::Monotonic now) {
    const std::size_t hash =
        std::hash<std::string_view>()(message) + static_cast<std::size_t>(level) * 7919;
    Slot& slot = slots_[hash % slots_.size()];
    if (now - slot.since >= std::chrono::seconds(1) || slot.count == 0) slot = {now, 0};
    ++slot.count;
    return slot.count <= kFirst || (slot.count - kFirst) % kThereafter == 0;
  }

 private:
  static constexpr std::uint64_t kFirst = 100;
  static constexpr std::uint64_t kThereafter = 100;
  struct Slot {
    base::Clock::Monotonic since;
    std::uint64_t count = 0;
  };
  std::array<Slot, 1024> slots_ = {};
};

}  // namespace etcd::config
