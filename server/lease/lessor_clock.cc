#include <algorithm>
#include <functional>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"
#include "server/lease/lessor_impl.h"

// The primary's clock: deadlines, the scan for expired leases, their revokes.
namespace etcd::lease {
namespace {

// Heap entries looked at under one hold of the mutex: about a millisecond.
constexpr std::size_t kEntriesPerHold = 4096;
constexpr std::size_t kDeadEntriesMin = 1024;

}  // namespace

Monotonic Lessor::Impl::After(Monotonic from, std::chrono::nanoseconds delay) {
  return delay >= kForever - from ? kForever : from + delay;
}

Monotonic Lessor::Impl::AfterSeconds(Monotonic from, std::int64_t seconds) {
  // kTtlSecondsMax in nanoseconds still fits 63 bits; the sum may not.
  return After(from, std::chrono::seconds(std::min(seconds, kTtlSecondsMax)));
}

void Lessor::Impl::PushHeapLocked(DeadlineHeap& heap, HeapEntry entry) {
  heap.push_back(entry);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

void Lessor::Impl::StartClockLocked(Lease& lease, Monotonic deadline) {
  lease.deadline = deadline;
  if (!lease.in_expiry_heap) {
    lease.in_expiry_heap = true;
    PushHeapLocked(expiries, {deadline, lease.id, lease.epoch});
  }
  ScheduleCheckpointLocked(lease);
  if (dead_entries > kDeadEntriesMin && dead_entries * 2 > expiries.size()) DropDeadEntriesLocked();
}

// Revoked leases leave their entries behind until those come up; with long TTLs and much churn they
// would pile up.
void Lessor::Impl::DropDeadEntriesLocked() {
  DeadlineHeap alive;
  alive.reserve(leases.size());
  for (const HeapEntry& entry : expiries) {
    const Lease* lease = FindLocked(entry.id);
    if (lease != nullptr && lease->epoch == entry.epoch) alive.push_back(entry);
  }
  expiries = std::move(alive);
  std::make_heap(expiries.begin(), expiries.end(), std::greater<>());
  dead_entries = 0;
}

void Lessor::Impl::Promote(Term new_term, std::chrono::nanoseconds extend) {
  Calls calls;
  std::uint64_t started = 0;
  std::size_t held = 0;
  {
    const base::MutexLock lock(mu);
    if (stopped) return;
    DemoteLocked(calls);
    primary = true;
    term = new_term;
    started = ++generation;
    const Monotonic start = After(Now(), extend);
    for (const auto& [id, lease] : leases) {
      if (!lease->published) continue;  // Publish starts it
      const bool checkpointed = lease->remaining_ttl_seconds > 0;
      lease->deadline =
          AfterSeconds(start, checkpointed ? lease->remaining_ttl_seconds : lease->ttl_seconds);
    }
    SpreadDeadlinesLocked();
    held = leases.size();
  }
  LOG_INFO("lessor promoted", {"term", new_term}, {"leases", held});
  Run(calls);
  ScheduleScan(started);
}

// Fills the heap. After a long absence of a leader, many leases would run out in the same instant
// and their revokes would crowd out everything else; deadlines only ever move later.
void Lessor::Impl::SpreadDeadlinesLocked() {
  DeadlineHeap order;
  order.reserve(leases.size());
  for (const auto& [id, lease] : leases) {
    if (lease->published) order.push_back({lease->deadline, id, lease->epoch});
  }
  std::ranges::sort(order, [](const HeapEntry& a, const HeapEntry& b) { return b > a; });
  if (order.size() >= options.spread_from_leases) {
    const std::chrono::nanoseconds gap(1'000'000'000 / options.spread_per_second);
    for (std::size_t i = 1; i < order.size(); ++i) {
      order[i].due = std::max(order[i].due, After(order[i - 1].due, gap));
    }
  }
  for (const HeapEntry& entry : order) {
    Lease& lease = *leases.at(entry.id);
    lease.deadline = entry.due;
    lease.in_expiry_heap = true;
  }
  expiries = std::move(order);  // ascending order is a heap
  for (const HeapEntry& entry : expiries) ScheduleCheckpointLocked(*leases.at(entry.id));
}

void Lessor::Impl::Demote() {
  Calls calls;
  bool was_primary = false;
  {
    const base::MutexLock lock(mu);
    was_primary = primary;
    DemoteLocked(calls);
  }
  if (was_primary) LOG_INFO("lessor demoted");
  Run(calls);
}

void Lessor::Impl::DemoteLocked(Calls& calls) {
  FailWaitersLocked(calls);
  if (!primary) return;
  primary = false;
  ++generation;
  // Memory goes back as well: a member may never lead again (etcd issue 11731).
  DeadlineHeap().swap(expiries);
  DeadlineHeap().swap(checkpoints);
  dead_entries = 0;
  revoke_queue.clear();
  revokes_in_flight = 0;
  for (const auto& [id, lease] : leases) {
    lease->deadline = kForever;
    lease->in_expiry_heap = false;
    lease->in_checkpoint_heap = false;
    lease->revoke_pending = false;
    lease->checkpoints_proposed = lease->checkpoints_undone = 0;
  }
}

void Lessor::Impl::FailWaitersLocked(Calls& calls) {
  for (auto* waiters : {&revoke_waiters, &checkpoint_waiters}) {
    for (auto& [id, waiting] : *waiters) {
      for (RenewDone& done : waiting) {
        calls.push_back([d = std::move(done)]() mutable { d(Error(Errc::kNotPrimaryLessor)); });
      }
    }
    waiters->clear();
  }
}

void Lessor::Impl::ScheduleScan(std::uint64_t of_generation) {
  executor.PostAfter(options.scan_interval, [weak = weak_from_this(), of_generation] {
    if (const auto self = weak.lock()) self->Scan(of_generation);
  });
}

void Lessor::Impl::Scan(std::uint64_t of_generation) {
  bool more = true;
  while (more) {
    const base::MutexLock lock(mu);
    if (generation != of_generation) return;
    more = CollectExpiredLocked();
  }
  PumpRevokes(of_generation);
  std::vector<LeaseCheckpoint> due;
  Term in_term;
  {
    const base::MutexLock lock(mu);
    if (generation != of_generation) return;
    due = CollectCheckpointsLocked();
    in_term = term;
  }
  // Losing one is harmless: the next interval proposes again.
  if (!due.empty()) sink.ProposeCheckpoint(std::move(due), in_term, [](const absl::Status&) {});
  ScheduleScan(of_generation);
}

// Moves expired leases to the revoke queue. True when it stopped to let others have the mutex.
bool Lessor::Impl::CollectExpiredLocked() {
  const Monotonic now = Now();
  for (std::size_t looked = 0; !expiries.empty() && expiries.front().due <= now; ++looked) {
    if (revoke_queue.size() >= options.expired_per_scan_max) return false;
    if (looked == kEntriesPerHold) return true;
    std::pop_heap(expiries.begin(), expiries.end(), std::greater<>());
    HeapEntry entry = expiries.back();
    expiries.pop_back();
    Lease* lease = FindLocked(entry.id);
    if (lease == nullptr || lease->epoch != entry.epoch) {
      if (dead_entries > 0) --dead_entries;
      continue;
    }
    entry.due = lease->deadline;
    if (lease->deadline <= now) {
      // Comes up again while it is still there: the proposal may be lost.
      entry.due = After(now, options.revoke_retry_interval);
      if (!lease->revoke_pending) {
        lease->revoke_pending = true;
        revoke_queue.emplace_back(lease->id, lease->epoch);
      }
    }
    PushHeapLocked(expiries, entry);
  }
  return false;
}

void Lessor::Impl::PumpRevokes(std::uint64_t of_generation) {
  while (true) {
    std::pair<LeaseId, std::uint64_t> next;
    Term in_term;
    {
      const base::MutexLock lock(mu);
      if (generation != of_generation || revoke_queue.empty()) return;
      if (revokes_in_flight >= options.revokes_in_flight_max) return;
      next = revoke_queue.front();
      revoke_queue.pop_front();
      const Lease* lease = FindLocked(next.first);
      if (lease == nullptr || lease->epoch != next.second) continue;  // a client revoked it
      ++revokes_in_flight;
      in_term = term;
    }
    sink.ProposeRevoke(next.first, in_term,
                       [weak = weak_from_this(), next, of_generation](const absl::Status& status) {
                         if (const auto self = weak.lock()) {
                           self->OnRevokeDone(next.first, next.second, of_generation, status);
                         }
                       });
  }
}

void Lessor::Impl::OnRevokeDone(LeaseId id, std::uint64_t epoch, std::uint64_t of_generation,
                                const absl::Status& status) {
  if (status.ok() && observer != nullptr) observer->OnExpired();
  {
    const base::MutexLock lock(mu);
    if (generation != of_generation) return;
    --revokes_in_flight;
    Lease* lease = FindLocked(id);
    if (lease != nullptr && lease->epoch == epoch) lease->revoke_pending = false;
  }
  // Not from here: the sink may have answered within ProposeRevoke.
  executor.Post([weak = weak_from_this(), of_generation] {
    if (const auto self = weak.lock()) self->PumpRevokes(of_generation);
  });
}

}  // namespace etcd::lease
