#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>

#include <absl/functional/any_invocable.h>

namespace etcd::transport {

// What a producer asked to be told once the bytes that wait for its client have become few
// (NotifyWhenBelow of sinks and responders). Thread-safe.
//
// Both sides change what they own first and then look at the other's, sequentially consistent: the
// producer stores its wish, then reads the bytes; the loop takes bytes away, then reads wanted().
// So at least one of them sees both.
class RoomNotice {
 public:
  // Followed by Check with bytes that were read after it.
  void Set(std::size_t below, absl::AnyInvocable<void()> ready) {
    const std::lock_guard lock(mu_);
    below_ = below;
    ready_ = std::move(ready);
    wanted_.store(true);
  }
  bool wanted() const { return wanted_.load(); }

  // Runs the callback, once, when no more than what it asked for is pending, or all is over.
  void Check(std::size_t pending, bool over) {
    absl::AnyInvocable<void()> ready;
    {
      const std::lock_guard lock(mu_);
      if (!ready_ || (!over && pending > below_)) return;
      ready = std::move(ready_);
      ready_ = nullptr;
      wanted_.store(false);
    }
    ready();  // without the lock: it may send
  }

 private:
  std::atomic<bool> wanted_{false};
  std::mutex mu_;
  std::size_t below_ = 0;             // guarded by mu_
  absl::AnyInvocable<void()> ready_;  // guarded by mu_; empty: nobody waits
};

}  // namespace etcd::transport
