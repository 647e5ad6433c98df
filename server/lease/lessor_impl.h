#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>
#include <absl/container/node_hash_map.h>
#include <absl/hash/hash.h>

#include "server/base/mutex.h"
#include "server/base/status.h"
#include "server/lease/lessor.h"

namespace etcd::lease {

using Monotonic = base::Clock::Monotonic;
inline constexpr Monotonic kForever = Monotonic::max();

struct Lease {
  LeaseId id;
  std::int64_t ttl_seconds = 0;
  std::int64_t remaining_ttl_seconds = 0;  // of the last checkpoint; 0: none
  // Number of this grant: an id that was revoked and granted again is another lease, and old timers
  // must not touch it.
  std::uint64_t epoch = 0;
  Monotonic deadline = kForever;  // not primary, or not published yet: for ever
  bool published = false;
  bool in_expiry_heap = false;
  bool in_checkpoint_heap = false;
  bool revoke_pending = false;  // queued or in flight in this generation
  // Checkpoints proposed in this generation, and how many of them a later clearing has undone.
  // While they differ, one may be on its way that speaks of the time before the newest renewal.
  std::uint32_t checkpoints_proposed = 0;
  std::uint32_t checkpoints_undone = 0;
  absl::btree_set<std::string_view> keys;  // views into key_leases
};

// Hash of keys that takes std::string_view without a copy.
struct KeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return absl::HashOf(base::ToAbsl(key)); }
};
struct KeyEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

// One lease has at most one entry in a heap. Renewals move only the lease's own deadline, so they
// cost O(1); an entry that comes up too early is put back.
struct HeapEntry {
  Monotonic due;
  LeaseId id;
  std::uint64_t epoch;
  bool operator>(const HeapEntry& other) const {
    return due != other.due ? due > other.due : id > other.id;
  }
};
using DeadlineHeap = std::vector<HeapEntry>;  // std::*_heap with std::greater: earliest first

// Calls collected under the mutex and made after it was let go.
using Calls = std::vector<absl::AnyInvocable<void()>>;

// Leases seen by readers: `leases` with published set, else `dying` (revoked in the open batch).
struct Lessor::Impl : std::enable_shared_from_this<Lessor::Impl> {
  Impl(base::Executor& e, ExpireSink& s, LessorObserver* o, LessorOptions opt)
      : executor(e), sink(s), observer(o), options(opt) {}

  Monotonic Now() const { return executor.clock().Now(); }
  static Monotonic After(Monotonic from, std::chrono::nanoseconds delay);
  static Monotonic AfterSeconds(Monotonic from, std::int64_t seconds);

  // ---- lessor.cc
  Lease* FindLocked(LeaseId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  const Lease* FindVisibleLocked(LeaseId id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void DetachLocked(std::string_view key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void WriteRecordLocked(const Lease& lease, engine::WriteBatch& batch) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void ClearLocked(Calls& calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void Publish();

  // ---- lessor_clock.cc
  void Promote(Term new_term, std::chrono::nanoseconds extend);
  void Demote();
  void DemoteLocked(Calls& calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void StartClockLocked(Lease& lease, Monotonic deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void SpreadDeadlinesLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void PushHeapLocked(DeadlineHeap& heap, HeapEntry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void DropDeadEntriesLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void FailWaitersLocked(Calls& calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void ScheduleScan(std::uint64_t of_generation);
  void Scan(std::uint64_t of_generation);
  bool CollectExpiredLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  void PumpRevokes(std::uint64_t of_generation);
  void OnRevokeDone(LeaseId id, std::uint64_t epoch, std::uint64_t of_generation,
                    const absl::Status& status);

  // ---- lessor_renew.cc
  void Renew(LeaseId id, RenewDone done);
  // What the proposal of a clearing stands for: the lease, and the checkpoints before it.
  struct Clearing {
    LeaseId id;
    std::uint64_t epoch = 0;
    Term term;
    std::uint64_t generation = 0;
    std::uint32_t checkpoints = 0;
  };
  void RenewCheckpointed(const Clearing& clearing);
  void OnCheckpointCleared(const Clearing& clearing, const absl::Status& status);
  void ScheduleCheckpointLocked(Lease& lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
  std::vector<LeaseCheckpoint> CollectCheckpointsLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);

  base::Executor& executor;
  ExpireSink& sink;
  LessorObserver* const observer;
  const LessorOptions options;

  mutable base::Mutex mu;

  // The replicated half.
  absl::flat_hash_map<LeaseId, std::unique_ptr<Lease>> leases ABSL_GUARDED_BY(mu);
  absl::btree_map<LeaseId, std::unique_ptr<Lease>> dying ABSL_GUARDED_BY(mu);
  absl::node_hash_map<std::string, LeaseId, KeyHash, KeyEqual> key_leases ABSL_GUARDED_BY(mu);
  std::vector<std::pair<LeaseId, std::uint64_t>> unpublished ABSL_GUARDED_BY(mu);
  std::uint64_t next_epoch ABSL_GUARDED_BY(mu) = 1;

  // The clock. `generation` counts promotions and demotions: tasks and answers of an older one do
  // nothing.
  bool primary ABSL_GUARDED_BY(mu) = false;
  bool stopped ABSL_GUARDED_BY(mu) = false;
  Term term ABSL_GUARDED_BY(mu);
  std::uint64_t generation ABSL_GUARDED_BY(mu) = 0;
  DeadlineHeap expiries ABSL_GUARDED_BY(mu);
  DeadlineHeap checkpoints ABSL_GUARDED_BY(mu);
  std::size_t dead_entries ABSL_GUARDED_BY(mu) = 0;  // of `expiries`: their lease is gone
  std::deque<std::pair<LeaseId, std::uint64_t>> revoke_queue ABSL_GUARDED_BY(mu);
  std::size_t revokes_in_flight ABSL_GUARDED_BY(mu) = 0;
  // Renewals that wait for the revoke of an expired lease, and for a checkpoint to be cleared.
  absl::btree_map<LeaseId, std::vector<RenewDone>> revoke_waiters ABSL_GUARDED_BY(mu);
  absl::btree_map<LeaseId, std::vector<RenewDone>> checkpoint_waiters ABSL_GUARDED_BY(mu);
};

inline void Run(Calls& calls) {
  for (auto& call : calls) call();
}

}  // namespace etcd::lease
