#pragma once

#include <cstdint>

namespace etcd::base {

// Source of random numbers; never a global, so that a simulation replays. Not thread-safe.
class Random {
 public:
  virtual ~Random() = default;

  virtual std::uint64_t Next() = 0;

  // Uniform in [0, bound); bound > 0. The bias of the modulo is below 2^-32 for the small bounds
  // (election ticks, jitter) that this serves.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }
};

// splitmix64 (Steele, Lea, Flood 2014): 64 bits of state, every seed is good.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() override {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

}  // namespace etcd::base
