#pragma once

#include <optional>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "server/base/clock.h"
#include "server/base/ids.h"
#include "server/base/mutex.h"
#include "server/rafthttp/logged_causes.h"
#include "server/rafthttp/observer.h"

namespace etcd::rafthttp {

// Since when each peer has been reachable. Written on the loop, read by any thread.
class StatusBoard {
 public:
  void Set(MemberId id, std::optional<base::Clock::Monotonic> since) {
    const base::MutexLock lock(mu_);
    if (since) {
      active_since_[id] = *since;
    } else {
      active_since_.erase(id);
    }
  }
  std::optional<base::Clock::Monotonic> Get(MemberId id) const {
    const base::MutexLock lock(mu_);
    const auto found = active_since_.find(id);
    return found == active_since_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  mutable base::Mutex mu_;
  absl::flat_hash_map<MemberId, base::Clock::Monotonic> active_since_ ABSL_GUARDED_BY(mu_);
};

// Whether a peer can be reached: while a stream from it works; else by the success or failure of
// the newest thing that was tried, as in etcd. There a message that was queued for an address that
// the peer has left fails after its streams are back, and makes it inactive until they break.
// Logs changes, and each new reason for a failure once. Loop thread only.
class PeerStatus {
 public:
  PeerStatus(MemberId id, StatusBoard& board, Observer& observer)
      : id_(id), board_(board), observer_(observer) {}
  ~PeerStatus() { board_.Set(id_, std::nullopt); }
  PeerStatus(const PeerStatus&) = delete;
  PeerStatus& operator=(const PeerStatus&) = delete;

  void Activate();
  void Deactivate(std::string_view why);
  // A stream from the peer works; a stream that did works no more, which Deactivate follows.
  void StreamBegins();
  void StreamEnds() { --streams_; }
  // True once for each cause until the peer is active again: the caller logs it.
  bool IsNewCause(std::string_view cause) { return causes_.Add(cause); }

 private:
  const MemberId id_;
  StatusBoard& board_;
  Observer& observer_;
  bool active_ = false;
  int streams_ = 0;      // from the peer, that work
  LoggedCauses causes_;  // since the peer was last active
};

}  // namespace etcd::rafthttp
