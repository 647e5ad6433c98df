#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/storage/engine/kv_engine.h"

// Leases: the replicated records (written by the apply thread) and the leader's clock over them.
namespace etcd::lease {

inline constexpr std::int64_t kTtlSecondsMax = 9'000'000'000;

struct LessorOptions {
  std::int64_t ttl_seconds_min = 2;  // ceil(floor(3 * election_ticks / 2) * heartbeat)
  std::chrono::nanoseconds scan_interval = std::chrono::milliseconds(500);
  std::size_t expired_per_scan_max = 500;
  std::size_t revokes_in_flight_max = 16;
  std::chrono::nanoseconds revoke_retry_interval = std::chrono::seconds(3);
  // Promote spreads deadlines to this many a second when there are at least this many leases.
  std::int64_t spread_per_second = 750;
  std::size_t spread_from_leases = 1000;
  bool checkpoint = false;  // feature gate LeaseCheckpoint
  std::chrono::nanoseconds checkpoint_interval = std::chrono::minutes(5);
  std::size_t checkpoints_per_entry_max = 1000;
};

struct LeaseCheckpoint {
  LeaseId id;
  std::int64_t remaining_ttl_seconds = 0;
};

// How the primary's clock changes the replicated state: by proposals. Implemented by node; called
// without locks on the lease executor or (ProposeCheckpoint) in Renew's thread. Must not block.
//
// `term` is the term of the Promote that started this clock. A proposal must be appended only while
// this member leads in exactly that term, and must never be forwarded: otherwise a leader that was
// stalled and deposed revokes leases which the new leader has renewed (etcd issue 15247).
class ExpireSink {
 public:
  // Called exactly once, on any thread, also when the proposal was refused.
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~ExpireSink() = default;
  virtual void ProposeRevoke(LeaseId id, Term term, Done done) = 0;
  // LeaseCheckpointRequest with these entries; done after it was applied (or failed).
  virtual void ProposeCheckpoint(std::vector<LeaseCheckpoint> checkpoints, Term term,
                                 Done done) = 0;
};

// For metrics. Called without locks, on the thread of the cause. Thread-safe.
class LessorObserver {
 public:
  virtual ~LessorObserver() = default;
  virtual void OnGranted(std::int64_t /*ttl_seconds*/) {}  // lease_granted, lease_ttl_total
  virtual void OnRevoked() {}                              // lease_revoked
  virtual void OnRenewed(std::int64_t /*ttl_seconds*/) {}  // lease_renewed
  virtual void OnExpired() {}  // server_lease_expired: a revoke of an expired lease was applied
};

struct LeaseInfo {
  LeaseId id;
  std::int64_t granted_ttl_seconds = 0;
  std::int64_t remaining_ttl_seconds = 0;  // whole seconds left, never negative
  std::vector<std::string> keys;           // ascending; filled when asked for
};

// Thread-safe. Two halves:
//  - the replicated half changes on the apply thread only. A batch's own changes are seen by the
//    apply thread at once and by everybody else after Publish (etcd issue 13932);
//  - the clock runs between Promote and Demote. Without it no lease ever expires.
// All state is under one annotated mutex, held for short walks only and never while calling out.
// The monotonic clock of `executor` counts, so wall clock steps do not matter.
class Lessor {
 public:
  // Renew's answer: the TTL given, or kNotPrimaryLessor, kLeaseNotFound (a keepalive answers the
  // latter with TTL 0). Called exactly once without locks: at once in the common case, on another
  // thread when a revoke or a checkpoint has to be waited for.
  using RenewDone = absl::AnyInvocable<void(absl::StatusOr<std::int64_t>)>;

  // `executor` runs the scans; `sink` and `observer` (may be null) must outlive the lessor.
  Lessor(base::Executor& executor, ExpireSink& sink, LessorObserver* observer,
         LessorOptions options);
  ~Lessor();
  Lessor(const Lessor&) = delete;
  Lessor& operator=(const Lessor&) = delete;

  // ---- Apply thread.

  // Replaces everything by what the lease bucket holds: at start and after a snapshot install (then
  // waiting renewals fail with kNotPrimaryLessor). TTLs below the minimum are raised. Keys are
  // attached afterwards by the caller from mvcc's ForEachLeasedKey. DataLoss for undecodable
  // records.
  absl::Status Load(const engine::KvEngine& engine);

  // Returns the TTL granted (raised to the minimum). Errors in this order: kLeaseNotFound for id 0,
  // kLeaseTtlTooLarge, kLeaseExists. Negative ids are legal.
  absl::StatusOr<std::int64_t> Grant(LeaseId id, std::int64_t ttl_seconds,
                                     engine::WriteBatch& batch);

  // Removes the lease and returns the keys that were attached, ascending, for the caller to delete
  // in one transaction. kLeaseNotFound.
  absl::StatusOr<std::vector<std::string>> Revoke(LeaseId id, engine::WriteBatch& batch);

  // Sets the remaining TTL (0 clears it); `persist` when the cluster version is >= 3.6 or the gate
  // LeaseCheckpointPersist is on. kLeaseNotFound.
  absl::Status Checkpoint(LeaseCheckpoint checkpoint, bool persist, engine::WriteBatch& batch);

  // The key now belongs to `id` and to no other lease; id 0 = to none. kLeaseNotFound leaves it as
  // it was.
  absl::Status Attach(LeaseId id, std::string_view key);
  void Detach(std::string_view key);

  // For the apply thread: including the open batch.
  bool Exists(LeaseId id) const;
  LeaseId LeaseOf(std::string_view key) const;        // 0: none
  std::vector<std::string> KeysOf(LeaseId id) const;  // ascending; empty when unknown

  // After the engine took the batch: makes its grants and revokes visible to readers, starts the
  // clock of new leases and answers renewals that waited for a revoke.
  void Publish();

  // ---- The primary's clock. Thread-safe.

  // This member leads in `term` (call when the first entry of the term is applied): every lease
  // gets now + extend + (checkpointed remaining or granted TTL). A second Promote restarts.
  void Promote(Term term, std::chrono::nanoseconds extend);
  // No longer leader: nothing expires, timers are dropped, waiting renewals get kNotPrimaryLessor.
  void Demote();
  bool IsPrimary() const;

  // Gives the lease its full TTL again. Primary only (kNotPrimaryLessor comes before
  // kLeaseNotFound). The caller has confirmed leadership of the current term before (etcd issue
  // 20615). A lease that has expired waits for its revoke and then is not found.
  void Renew(LeaseId id, RenewDone done);

  // ---- Reads. Thread-safe; published state only.

  // kLeaseNotFound comes before kNotPrimaryLessor (only the primary knows what remains).
  absl::StatusOr<LeaseInfo> TimeToLive(LeaseId id, bool with_keys) const;
  // Granted TTL, on any member.
  std::optional<std::int64_t> Lookup(LeaseId id) const;
  // All ids, ascending by remaining TTL on the primary, else ascending by id.
  std::vector<LeaseId> Leases() const;

  // Drops timers and waiters; the clock never runs again. Idempotent. Call before `executor` stops.
  void Stop();

  struct Impl;  // public for the implementation files only

 private:
  std::shared_ptr<Impl> impl_;  // tasks on the executor hold it weakly
};

}  // namespace etcd::lease
