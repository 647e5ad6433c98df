#include <algorithm>
#include <functional>
#include <utility>

#include "server/base/failpoint.h"
#include "server/base/status.h"
#include "server/lease/lessor_impl.h"

// Keepalives, and the checkpoints that keep a leader change from giving leases their whole TTL
// again (etcd issue 14253).
namespace etcd::lease {

void Lessor::Impl::Renew(LeaseId id, RenewDone done) {
  std::int64_t ttl = 0;
  Clearing clearing;
  absl::Status refused;
  bool renewed = false;
  {
    const base::MutexLock lock(mu);
    const Lease* visible = FindVisibleLocked(id);
    if (!primary) {
      refused = Error(Errc::kNotPrimaryLessor);
    } else if (visible == nullptr) {
      refused = Error(Errc::kLeaseNotFound);
    } else if (const Monotonic now = Now(); dying.contains(id) || visible->deadline <= now) {
      revoke_waiters[id].push_back(std::move(done));
      return;
    } else {
      Lease& lease = *FindLocked(id);
      lease.deadline = AfterSeconds(now, lease.ttl_seconds);
      ttl = lease.ttl_seconds;
      ScheduleCheckpointLocked(lease);
      renewed = lease.remaining_ttl_seconds == 0 &&
                lease.checkpoints_proposed == lease.checkpoints_undone;
      if (!renewed) {
        auto& waiters = checkpoint_waiters[id];
        waiters.push_back(std::move(done));
        if (waiters.size() > 1) return;  // the first one has proposed
        clearing = {id, lease.epoch, term, generation, lease.checkpoints_proposed};
      }
    }
  }
  // NOLINTNEXTLINE(bugprone-use-after-move): where `done` was moved, `refused` is OK.
  if (!refused.ok()) return done(refused);
  if (!renewed) return RenewCheckpointed(clearing);
  if (observer != nullptr) observer->OnRenewed(ttl);
  done(ttl);
}

// The stored remainder must be cleared before the renewal is acknowledged: the next leader would
// start from it, and the lease would end before the TTL that was promised. A checkpoint that is on
// its way would store one after the renewal; the clearing comes behind it in the log.
// Proposed where the scan proposes, since it lets go of the mutex before.
void Lessor::Impl::RenewCheckpointed(const Clearing& clearing) {
  FAILPOINT("beforeCheckpointInLeaseRenew");
  executor.Post([weak = weak_from_this(), clearing] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->sink.ProposeCheckpoint({{clearing.id, 0}}, clearing.term,
                                 [weak, clearing](const absl::Status& status) {
                                   if (const auto lessor = weak.lock()) {
                                     lessor->OnCheckpointCleared(clearing, status);
                                   }
                                 });
  });
}

void Lessor::Impl::OnCheckpointCleared(const Clearing& clearing, const absl::Status& status) {
  std::vector<RenewDone> answers;
  absl::StatusOr<std::int64_t> answer = 0;
  Clearing again = clearing;
  {
    const base::MutexLock lock(mu);
    if (generation != clearing.generation) return;  // the waiters have heard of the demotion
    Lease* lease = FindLocked(clearing.id);
    const bool same = lease != nullptr && lease->epoch == clearing.epoch;
    if (same && status.ok()) lease->checkpoints_undone = clearing.checkpoints;
    if (same && status.ok() && lease->checkpoints_proposed != clearing.checkpoints) {
      again.checkpoints = lease->checkpoints_proposed;  // one was proposed meanwhile
    } else {
      auto node = checkpoint_waiters.extract(clearing.id);
      if (node.empty()) return;
      answers = std::move(node.mapped());
      if (!status.ok()) {
        answer = status;
      } else if (!same) {
        answer = Error(Errc::kLeaseNotFound);
      } else if (lease->deadline <= Now()) {
        auto& waiters = revoke_waiters[clearing.id];  // the proposal took longer than the TTL
        std::ranges::move(answers, std::back_inserter(waiters));
        return;
      } else {
        lease->deadline = AfterSeconds(Now(), lease->ttl_seconds);
        answer = lease->ttl_seconds;
      }
    }
  }
  if (again.checkpoints != clearing.checkpoints) return RenewCheckpointed(again);
  for (RenewDone& done : answers) {
    if (answer.ok() && observer != nullptr) observer->OnRenewed(*answer);
    done(answer);
  }
}

void Lessor::Impl::ScheduleCheckpointLocked(Lease& lease) {
  if (!options.checkpoint || lease.in_checkpoint_heap) return;
  const Monotonic now = Now();
  if (lease.deadline - now <= options.checkpoint_interval) return;
  lease.in_checkpoint_heap = true;
  PushHeapLocked(checkpoints, {After(now, options.checkpoint_interval), lease.id, lease.epoch});
}

std::vector<LeaseCheckpoint> Lessor::Impl::CollectCheckpointsLocked() {
  std::vector<LeaseCheckpoint> due;
  const Monotonic now = Now();
  while (!checkpoints.empty() && checkpoints.front().due <= now &&
         due.size() < options.checkpoints_per_entry_max) {
    std::pop_heap(checkpoints.begin(), checkpoints.end(), std::greater<>());
    const HeapEntry entry = checkpoints.back();
    checkpoints.pop_back();
    Lease* lease = FindLocked(entry.id);
    if (lease == nullptr || lease->epoch != entry.epoch) continue;
    lease->in_checkpoint_heap = false;
    const auto left = lease->deadline - now;
    if (left <= left.zero()) continue;
    // Rounded up: a checkpoint never shortens a lease.
    const std::int64_t remaining = std::chrono::ceil<std::chrono::seconds>(left).count();
    const auto since_renewal = std::chrono::seconds(lease->ttl_seconds) - left;
    if (since_renewal < options.checkpoint_interval) {
      // Kept alive in the meantime: nothing worth remembering yet.
      lease->in_checkpoint_heap = true;
      PushHeapLocked(checkpoints, {After(now, options.checkpoint_interval - since_renewal),
                                   lease->id, lease->epoch});
      continue;
    }
    ScheduleCheckpointLocked(*lease);
    ++lease->checkpoints_proposed;
    due.push_back({lease->id, remaining});
  }
  return due;
}

}  // namespace etcd::lease
