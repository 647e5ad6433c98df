#include "server/lease/lessor.h"

#include <algorithm>
#include <utility>

#include "server/base/status.h"
#include "server/lease/lease_codec.h"
#include "server/lease/lessor_impl.h"
#include "server/storage/engine/buckets.h"

namespace etcd::lease {
namespace {

std::string MetaKeyOf(LeaseId id) {
  return engine::MetaKey(engine::kBucketLease, EncodeLeaseKey(id));
}

std::vector<std::string> CopyKeys(const Lease& lease) {
  return {lease.keys.begin(), lease.keys.end()};
}

}  // namespace

Lessor::Lessor(base::Executor& executor, ExpireSink& sink, LessorObserver* observer,
               LessorOptions options)
    : impl_(std::make_shared<Impl>(executor, sink, observer, options)) {}

Lessor::~Lessor() { Stop(); }

Lease* Lessor::Impl::FindLocked(LeaseId id) {
  const auto it = leases.find(id);
  return it == leases.end() ? nullptr : it->second.get();
}

const Lease* Lessor::Impl::FindVisibleLocked(LeaseId id) const {
  if (const auto it = leases.find(id); it != leases.end() && it->second->published) {
    return it->second.get();
  }
  const auto it = dying.find(id);
  return it == dying.end() ? nullptr : it->second.get();
}

void Lessor::Impl::WriteRecordLocked(const Lease& lease, engine::WriteBatch& batch) const {
  batch.Put(engine::Family::kMeta, MetaKeyOf(lease.id),
            EncodeLeaseRecord({lease.id, lease.ttl_seconds, lease.remaining_ttl_seconds}));
}

void Lessor::Impl::DetachLocked(std::string_view key) {
  const auto it = key_leases.find(key);
  if (it == key_leases.end()) return;
  if (Lease* lease = FindLocked(it->second)) lease->keys.erase(it->first);
  key_leases.erase(it);
}

void Lessor::Impl::ClearLocked(Calls& calls) {
  DemoteLocked(calls);
  leases.clear();
  dying.clear();
  key_leases.clear();
  unpublished.clear();
}

absl::Status Lessor::Load(const engine::KvEngine& engine) {
  Calls calls;
  absl::Status status;
  {
    const base::MutexLock lock(impl_->mu);
    impl_->ClearLocked(calls);
    auto it = engine.Scan(engine::Family::kMeta, engine::BucketBegin(engine::kBucketLease),
                          engine::BucketEnd(engine::kBucketLease));
    for (; it->Valid() && status.ok(); it->Next()) {
      auto record =
          DecodeLeaseRecord(engine::StripBucket(engine::kBucketLease, it->key()), it->value());
      if (!record.ok()) {
        status = record.status();
        break;
      }
      auto lease = std::make_unique<Lease>();
      lease->id = record->id;
      lease->ttl_seconds = std::max(record->ttl_seconds, impl_->options.ttl_seconds_min);
      lease->remaining_ttl_seconds = record->remaining_ttl_seconds;
      lease->epoch = impl_->next_epoch++;
      lease->published = true;
      impl_->leases.insert_or_assign(record->id, std::move(lease));
    }
    if (status.ok()) status = it->status();
  }
  Run(calls);
  return status;
}

absl::StatusOr<std::int64_t> Lessor::Grant(LeaseId id, std::int64_t ttl_seconds,
                                           engine::WriteBatch& batch) {
  if (!id) return Error(Errc::kLeaseNotFound);
  if (ttl_seconds > kTtlSecondsMax) return Error(Errc::kLeaseTtlTooLarge);
  const std::int64_t ttl = std::max(ttl_seconds, impl_->options.ttl_seconds_min);
  {
    const base::MutexLock lock(impl_->mu);
    auto [it, inserted] = impl_->leases.try_emplace(id);
    if (!inserted) return Error(Errc::kLeaseExists);
    it->second = std::make_unique<Lease>();
    Lease& lease = *it->second;
    lease.id = id;
    lease.ttl_seconds = ttl;
    lease.epoch = impl_->next_epoch++;
    impl_->unpublished.emplace_back(id, lease.epoch);
    impl_->WriteRecordLocked(lease, batch);
  }
  if (impl_->observer != nullptr) impl_->observer->OnGranted(ttl);
  return ttl;
}

absl::StatusOr<std::vector<std::string>> Lessor::Revoke(LeaseId id, engine::WriteBatch& batch) {
  std::vector<std::string> keys;
  {
    const base::MutexLock lock(impl_->mu);
    const auto it = impl_->leases.find(id);
    if (it == impl_->leases.end()) return Error(Errc::kLeaseNotFound);
    std::unique_ptr<Lease> lease = std::move(it->second);
    impl_->leases.erase(it);
    keys = CopyKeys(*lease);
    lease->keys.clear();
    for (const std::string& key : keys) impl_->key_leases.erase(key);
    batch.Delete(engine::Family::kMeta, MetaKeyOf(id));
    if (lease->in_expiry_heap) ++impl_->dead_entries;
    if (lease->published) impl_->dying.insert_or_assign(id, std::move(lease));
  }
  if (impl_->observer != nullptr) impl_->observer->OnRevoked();
  return keys;
}

absl::Status Lessor::Checkpoint(LeaseCheckpoint checkpoint, bool persist,
                                engine::WriteBatch& batch) {
  const base::MutexLock lock(impl_->mu);
  Lease* lease = impl_->FindLocked(checkpoint.id);
  if (lease == nullptr) return Error(Errc::kLeaseNotFound);
  lease->remaining_ttl_seconds = checkpoint.remaining_ttl_seconds;
  if (persist) impl_->WriteRecordLocked(*lease, batch);
  return absl::OkStatus();
}

absl::Status Lessor::Attach(LeaseId id, std::string_view key) {
  const base::MutexLock lock(impl_->mu);
  if (!id) {
    impl_->DetachLocked(key);
    return absl::OkStatus();
  }
  Lease* lease = impl_->FindLocked(id);
  if (lease == nullptr) return Error(Errc::kLeaseNotFound);
  if (const auto it = impl_->key_leases.find(key); it != impl_->key_leases.end()) {
    if (it->second == id) return absl::OkStatus();
    if (Lease* old = impl_->FindLocked(it->second)) old->keys.erase(it->first);
    it->second = id;
    lease->keys.insert(it->first);
    return absl::OkStatus();
  }
  const auto it = impl_->key_leases.emplace(std::string(key), id).first;
  lease->keys.insert(it->first);
  return absl::OkStatus();
}

void Lessor::Detach(std::string_view key) {
  const base::MutexLock lock(impl_->mu);
  impl_->DetachLocked(key);
}

bool Lessor::Exists(LeaseId id) const {
  const base::MutexLock lock(impl_->mu);
  return impl_->leases.contains(id);
}

LeaseId Lessor::LeaseOf(std::string_view key) const {
  const base::MutexLock lock(impl_->mu);
  const auto it = impl_->key_leases.find(key);
  return it == impl_->key_leases.end() ? LeaseId() : it->second;
}

std::vector<std::string> Lessor::KeysOf(LeaseId id) const {
  const base::MutexLock lock(impl_->mu);
  const Lease* lease = impl_->FindLocked(id);
  return lease == nullptr ? std::vector<std::string>() : CopyKeys(*lease);
}

void Lessor::Impl::Publish() {
  Calls calls;
  {
    const base::MutexLock lock(mu);
    for (const auto& [id, epoch] : unpublished) {
      Lease* lease = FindLocked(id);
      if (lease == nullptr || lease->epoch != epoch) continue;
      lease->published = true;
      // The client hears of the lease after this moment only: counting from here keeps the promise
      // "never before TTL" however long the batch took.
      if (primary) StartClockLocked(*lease, AfterSeconds(Now(), lease->ttl_seconds));
    }
    unpublished.clear();
    for (const auto& [id, lease] : dying) {
      auto waiters = revoke_waiters.extract(id);
      if (waiters.empty()) continue;
      for (RenewDone& done : waiters.mapped()) {
        calls.push_back([d = std::move(done)]() mutable { d(Error(Errc::kLeaseNotFound)); });
      }
    }
    dying.clear();
  }
  Run(calls);
}

void Lessor::Publish() { impl_->Publish(); }
void Lessor::Promote(Term term, std::chrono::nanoseconds extend) { impl_->Promote(term, extend); }
void Lessor::Demote() { impl_->Demote(); }
void Lessor::Renew(LeaseId id, RenewDone done) { impl_->Renew(id, std::move(done)); }

bool Lessor::IsPrimary() const {
  const base::MutexLock lock(impl_->mu);
  return impl_->primary;
}

absl::StatusOr<LeaseInfo> Lessor::TimeToLive(LeaseId id, bool with_keys) const {
  const base::MutexLock lock(impl_->mu);
  const Lease* lease = impl_->FindVisibleLocked(id);
  if (lease == nullptr) return Error(Errc::kLeaseNotFound);
  if (!impl_->primary) return Error(Errc::kNotPrimaryLessor);
  LeaseInfo info;
  info.id = id;
  info.granted_ttl_seconds = lease->ttl_seconds;
  const auto left = std::max(lease->deadline - impl_->Now(), Monotonic::duration::zero());
  info.remaining_ttl_seconds = std::chrono::duration_cast<std::chrono::seconds>(left).count();
  if (with_keys) info.keys = CopyKeys(*lease);
  return info;
}

std::optional<std::int64_t> Lessor::Lookup(LeaseId id) const {
  const base::MutexLock lock(impl_->mu);
  const Lease* lease = impl_->FindVisibleLocked(id);
  if (lease == nullptr) return std::nullopt;
  return lease->ttl_seconds;
}

std::vector<LeaseId> Lessor::Leases() const {
  std::vector<std::pair<Monotonic, LeaseId>> found;
  {
    const base::MutexLock lock(impl_->mu);
    found.reserve(impl_->leases.size() + impl_->dying.size());
    for (const auto& [id, lease] : impl_->leases) {
      if (lease->published) found.emplace_back(lease->deadline, id);
    }
    for (const auto& [id, lease] : impl_->dying) found.emplace_back(lease->deadline, id);
  }
  std::ranges::sort(found);
  std::vector<LeaseId> ids;
  ids.reserve(found.size());
  for (const auto& [deadline, id] : found) ids.push_back(id);
  return ids;
}

void Lessor::Stop() {
  Calls calls;
  {
    const base::MutexLock lock(impl_->mu);
    impl_->stopped = true;
    impl_->DemoteLocked(calls);
  }
  Run(calls);
}

}  // namespace etcd::lease
