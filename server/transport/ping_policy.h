#pragma once

#include <chrono>
#include <cstddef>

namespace etcd::transport {

// Judges the pings of a client as Go's gRPC server does: a ping that comes too early is a strike,
// more than two strikes in a row without an answer of ours between them end the connection.
// Without an open call a client has no reason to ping at all ("permit without stream" is off), so
// then two pings within two hours are a strike.
class PingPolicy {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `min_time` zero: never a strike.
  explicit PingPolicy(std::chrono::nanoseconds min_time) : min_time_(min_time) {}

  // True when the connection must end.
  bool OnPing(Time now, std::size_t open_calls) {
    if (min_time_ == std::chrono::nanoseconds::zero()) return false;
    const Time last = last_ping_;
    last_ping_ = now;
    if (answered_) {
      answered_ = false;
      strikes_ = 0;
      return false;
    }
    const std::chrono::nanoseconds spacing = open_calls == 0 ? kIdleSpacing : min_time_;
    if (last != Time{} && last + spacing > now) ++strikes_;
    return strikes_ > kStrikesMax;
  }

  // Headers or data were sent: pings around them are for measuring the round trip.
  void OnAnswer() { answered_ = true; }

 private:
  static constexpr std::chrono::nanoseconds kIdleSpacing = std::chrono::hours(2);
  static constexpr int kStrikesMax = 2;

  const std::chrono::nanoseconds min_time_;
  Time last_ping_{};
  int strikes_ = 0;
  bool answered_ = false;
};

}  // namespace etcd::transport
