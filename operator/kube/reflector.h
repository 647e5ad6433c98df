#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <absl/status/status.h>

#include "operator/kube/backoff.h"
#include "server/base/random.h"

namespace etcd::kube {

// Decides what a follower of one kind does next: list, watch from where it is, or wait. Pure; the
// informer does what it says and reports what came of it. Lists are always consistent reads: a list
// from a cache (resourceVersion=0) may show a state older than one that was seen before.
class Reflector {
 public:
  struct Options {
    // The server ends a watch after a random time in this range, so that not all come back at once.
    std::chrono::seconds watch_timeout_min{300};
    std::chrono::seconds watch_timeout_max{600};
    Backoff::Options backoff;
  };
  enum class Step : std::uint8_t { kList, kWatch, kWait };
  struct Action {
    Step step;
    std::string resource_version{};         // of a watch
    std::chrono::seconds watch_timeout{0};  // of a watch
    std::chrono::nanoseconds wait{0};
  };

  Reflector(Options options, std::uint64_t seed)
      : options_(options), random_(seed), backoff_(options.backoff) {}

  Action Next(base::Clock::Monotonic now);

  void OnListed(std::string resource_version);
  void OnListFailed(base::Clock::Monotonic now, const absl::Status& status);
  // An event or a bookmark of the running watch.
  void OnEvent(std::string resource_version);
  // OK when the server ended it as announced.
  void OnWatchEnded(base::Clock::Monotonic now, const absl::Status& status);

  bool has_synced() const { return lists_ > 0; }
  std::uint64_t lists() const { return lists_; }

 private:
  void WaitAfterFailure(base::Clock::Monotonic now, const absl::Status& status);

  Options options_;
  base::SeededRandom random_;
  Backoff backoff_;
  bool must_list_ = true;
  std::string resource_version_;          // where the next watch begins; opaque
  std::chrono::nanoseconds wait_{0};      // before the next step
  base::Clock::Monotonic watch_begin_{};  // of the running watch
  std::uint64_t watch_events_ = 0;        // of the running watch
  std::uint64_t lists_ = 0;
};

}  // namespace etcd::kube
