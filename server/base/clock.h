#pragma once

#include <chrono>

namespace etcd::base {

// Source of time. Thread-safe. Simulation substitutes its own.
class Clock {
 public:
  using Monotonic = std::chrono::steady_clock::time_point;
  using Wall = std::chrono::system_clock::time_point;

  virtual ~Clock() = default;

  virtual Monotonic Now() const = 0;
  virtual Wall WallNow() const = 0;
};

class SystemClock final : public Clock {
 public:
  Monotonic Now() const override { return std::chrono::steady_clock::now(); }
  Wall WallNow() const override { return std::chrono::system_clock::now(); }
};

}  // namespace etcd::base
