#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "operator/kube/backoff.h"

namespace etcd::kube {

// What is reconciled: an object that has a loop of its own.
struct WorkKey {
  std::string kind;
  std::string ns;
  std::string name;
  auto operator<=>(const WorkKey&) const = default;
};

// Which key is worked on next. A key is never worked on twice at the same time; what is added while
// it is worked on makes it run once more. Pure: time comes in. Not bounded: the keys are the
// objects that exist.
class QueueCore {
 public:
  using Time = base::Clock::Monotonic;
  struct Options {
    std::chrono::nanoseconds first_failure = std::chrono::milliseconds(200);
    std::chrono::nanoseconds failure_cap = std::chrono::minutes(2);
  };
  struct Stats {
    std::size_t depth = 0;    // keys that are ready
    std::size_t delayed = 0;  // keys that wait for their time
    std::size_t processing = 0;
    std::uint64_t adds = 0;
    std::uint64_t retries = 0;
    std::chrono::nanoseconds oldest{0};  // how long the next key has been ready
  };

  QueueCore(Options options, std::uint64_t seed) : options_(options), random_(seed) {}

  void Add(const WorkKey& key, Time now);
  // At `now + delay`, or earlier when something else adds it. Of several the earliest counts.
  void AddAfter(const WorkKey& key, Time now, std::chrono::nanoseconds delay);

  // The key that has been ready for longest; it is being worked on until Done.
  std::optional<WorkKey> Take(Time now);
  // When Take may have something that it does not have now; nothing when only Add can change that.
  std::optional<Time> NextDue() const;

  // Ends the work on a key. OK: `again_after` from now (nothing: not by itself), failures are
  // forgotten. Failed: after a random time that grows with each failure in a row.
  void Done(const WorkKey& key, Time now, std::optional<std::chrono::nanoseconds> again_after);
  void Failed(const WorkKey& key, Time now);

  Stats GetStats(Time now) const;

 private:
  void MoveDue(Time now);
  void Release(const WorkKey& key, Time now);

  const Options options_;
  base::SeededRandom random_;
  std::deque<std::pair<WorkKey, Time>> ready_;  // with the time of becoming so
  std::set<WorkKey> dirty_;                     // ready, or processing and added again
  std::set<WorkKey> processing_;
  std::map<WorkKey, Time> delayed_;
  std::set<std::pair<Time, WorkKey>> by_due_;  // delayed_ in order of time
  std::map<WorkKey, int> failures_;            // in a row
  std::uint64_t adds_ = 0;
  std::uint64_t retries_ = 0;
};

}  // namespace etcd::kube
