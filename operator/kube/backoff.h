#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "server/base/clock.h"
#include "server/base/random.h"

namespace etcd::kube {

// A random duration in [0, bound].
inline std::chrono::nanoseconds UpTo(std::chrono::nanoseconds bound, base::Random& random) {
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(random.Below(static_cast<std::uint64_t>(bound.count()) + 1)));
}

// Waits between failures that follow each other: `first`, doubled each time up to `cap`, and up to
// as much again at random, so that clients of a server that was away do not come back together.
// Begins anew after `healthy_after` without a failure. Pure.
class Backoff {
 public:
  struct Options {
    std::chrono::nanoseconds first = std::chrono::milliseconds(800);
    std::chrono::nanoseconds cap = std::chrono::seconds(30);
    std::chrono::nanoseconds healthy_after = std::chrono::minutes(2);
  };

  explicit Backoff(Options options) : options_(options), next_(options.first) {}

  // The wait after a failure at `now`.
  std::chrono::nanoseconds Next(base::Clock::Monotonic now, base::Random& random) {
    if (IsHealthy(now)) next_ = options_.first;
    const std::chrono::nanoseconds wait = next_ + UpTo(next_, random);
    next_ = std::min(next_ * 2, options_.cap);
    failed_ = true;
    last_failure_end_ = now + wait;
    return wait;
  }

  // No failure for long enough that the next one counts as the first.
  bool IsHealthy(base::Clock::Monotonic now) const {
    return !failed_ || now - last_failure_end_ >= options_.healthy_after;
  }

 private:
  Options options_;
  std::chrono::nanoseconds next_;
  bool failed_ = false;
  base::Clock::Monotonic last_failure_end_{};  // when the last wait was over
};

}  // namespace etcd::kube
