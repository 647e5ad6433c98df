#pragma once

#include <algorithm>
#include <chrono>

#include "server/base/clock.h"

namespace etcd::kube {

// Bounds how often something happens: `burst` at once, `per_second` in the long run. Pure; not
// thread-safe.
class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  // Takes a token and says how long to wait before using it: callers that come while there is none
  // are served in their order.
  std::chrono::nanoseconds Reserve(base::Clock::Monotonic now) {
    if (now > filled_at_) {
      const std::chrono::duration<double> passed = now - filled_at_;
      tokens_ = started_ ? std::min(burst_, tokens_ + passed.count() * per_second_) : burst_;
      filled_at_ = now;
      started_ = true;
    }
    tokens_ -= 1;
    if (tokens_ >= 0) return std::chrono::nanoseconds(0);
    const std::chrono::duration<double> wait(-tokens_ / per_second_);
    return std::chrono::ceil<std::chrono::nanoseconds>(wait);
  }

 private:
  double per_second_;
  double burst_;
  double tokens_;  // negative: promised to those who wait
  bool started_ = false;
  base::Clock::Monotonic filled_at_{};
};

}  // namespace etcd::kube
