#include "server/storage/mvcc/replaceable_store.h"

#include <utility>

#include "server/base/status.h"

namespace etcd::mvcc {
namespace {

// Keeps the store alive that it reads.
class OwningCursor final : public HistoryCursor {
 public:
  OwningCursor(std::shared_ptr<const Store> store, std::unique_ptr<HistoryCursor> cursor)
      : store_(std::move(store)), cursor_(std::move(cursor)) {}
  absl::StatusOr<std::shared_ptr<const RevisionChanges>> Next() override { return cursor_->Next(); }

 private:
  const std::shared_ptr<const Store> store_;
  const std::unique_ptr<HistoryCursor> cursor_;
};

OperationCounts Sum(const OperationCounts& a, const OperationCounts& b) {
  return {.ranges = a.ranges + b.ranges,
          .puts = a.puts + b.puts,
          .put_bytes = a.put_bytes + b.put_bytes,
          .deletes = a.deletes + b.deletes,
          .txns = a.txns + b.txns};
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReplaceableStore>> ReplaceableStore::Open(engine::KvEngine& engine,
                                                                         base::Executor& compaction,
                                                                         StoreOptions options) {
  std::unique_ptr<ReplaceableStore> out(
      new ReplaceableStore(engine, compaction, std::move(options)));
  ASSIGN_OR_RETURN(auto store, out->Load());
  out->Install(std::move(store));
  return out;
}

absl::StatusOr<std::shared_ptr<StoreImpl>> ReplaceableStore::Load() const {
  auto index = std::make_unique<KeyIndex>();
  ASSIGN_OR_RETURN(LoadedState loaded, LoadIndex(engine_, *index));
  return std::make_shared<StoreImpl>(engine_, compaction_, options_, std::move(index),
                                     std::move(loaded));
}

void ReplaceableStore::Install(std::shared_ptr<StoreImpl> store) {
  writer_ = store.get();
  const base::MutexLock lock(mu_);
  store_.swap(store);
}

absl::Status ReplaceableStore::Replace(Revision compact,
                                       absl::FunctionRef<absl::Status()> exchange) {
  const std::shared_ptr<StoreImpl> old = store();
  old->Supersede(compact);
  RETURN_IF_ERROR(exchange());
  ASSIGN_OR_RETURN(std::shared_ptr<StoreImpl> next, Load());
  {
    const base::MutexLock lock(mu_);
    counts_before_ = Sum(counts_before_, old->counts());
  }
  next->SetObserver(observer_);
  Install(next);
  if (compacting_) next->StartCompaction();
  for (CompactionWaiter& waiter : old->TakeCompactionWaiters()) {
    next->WhenCompacted(waiter.revision, std::move(waiter.done));
  }
  if (observer_ != nullptr) observer_->OnReplaced(*this);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<HistoryCursor>> ReplaceableStore::ReadHistory(Revision from,
                                                                             Revision to) const {
  std::shared_ptr<const Store> from_store = store();
  ASSIGN_OR_RETURN(auto cursor, from_store->ReadHistory(from, to));
  return std::make_unique<OwningCursor>(std::move(from_store), std::move(cursor));
}

OperationCounts ReplaceableStore::counts() const {
  const base::MutexLock lock(mu_);
  return Sum(counts_before_, store_->counts());
}

void ReplaceableStore::SetObserver(RevisionObserver* observer) {
  observer_ = observer;
  writer_->SetObserver(observer);
}

void ReplaceableStore::StartCompaction() {
  compacting_ = true;
  writer_->StartCompaction();
}

}  // namespace etcd::mvcc
