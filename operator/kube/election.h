#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "operator/kube/object.h"
#include "operator/kube/times.h"
#include "server/base/clock.h"
#include "server/base/random.h"

namespace etcd::kube {

// One candidate for a Lease (coordination.k8s.io/v1). Pure: it says what to do next, the elector
// does it and reports. Safety rests on two facts only: the API server lets one of several writers
// of one resourceVersion through, and durations run alike everywhere. A leader takes itself for one
// until `renew_deadline` after it *began* the last renewal that succeeded; others take over
// `lease_duration` after they first *saw* that renewal, which is later. Clocks are never compared.
class Election {
 public:
  using Time = base::Clock::Monotonic;
  struct Options {
    std::string ns{};
    std::string name{};
    std::string identity{};  // "<pod>_<uuid>", never used before
    std::chrono::seconds lease_duration{15};
    std::chrono::milliseconds renew_deadline{10'000};
    std::chrono::milliseconds retry_period{2'000};
  };
  enum class Step : std::uint8_t { kGet, kCreate, kUpdate, kWait };
  struct Action {
    Step step;
    std::chrono::nanoseconds wait{0};  // of kWait
  };

  Election(Options options, std::uint64_t seed) : options_(std::move(options)), random_(seed) {}

  Action Next(Time now);
  // What to send for kCreate and kUpdate, begun at `now`.
  Json Body(Time now, WallTime wall_now);

  // Results of the action. No object: there is none.
  void OnRead(Time now, const Object& lease);
  void OnWritten(Time now, const Object& lease);
  // Any failure. `must_read`: what we know of the lease is not what is (409), or may not be (the
  // outcome is unknown).
  void OnFailed(bool must_read);

  // Gives the lease up: the body of a last update, nothing when it is not ours. Next must not be
  // called any more.
  std::optional<Json> Release(WallTime wall_now);

  bool is_leader(Time now) const { return renewed_at_.has_value() && now < LeadsUntil(); }
  // The end of our own belief; the distant past when we do not lead.
  Time LeadsUntil() const;
  // We led and do not any more: this process must end, and come back under another identity.
  bool has_lost(Time now) const { return led_ && !is_leader(now); }
  const std::string& holder() const { return holder_; }

 private:
  bool IsFree(Time now) const;
  void Observe(Time now, const Object& lease);

  const Options options_;
  base::SeededRandom random_;
  Object lease_;            // as last read or written; none: it does not exist, or was not read
  std::string holder_;      // of lease_
  Time observed_at_{};      // when lease_ was first seen with its resourceVersion
  bool must_read_ = true;   // before the next attempt
  bool must_wait_ = false;  // before anything else
  bool led_ = false;        // at any time
  Time write_begin_{};      // of the write that is running
  std::optional<Time> renewed_at_;  // when our last successful write began; nothing: not ours
};

}  // namespace etcd::kube
