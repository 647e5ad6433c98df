#include <algorithm>
#include <utility>

#include "server/base/check.h"
#include "server/watch/watch_hub_impl.h"

// From the apply thread to the synced watchers.
namespace etcd::watch {
namespace {

// What an empty revision costs in the inbox: its objects and the pin.
constexpr std::size_t kRevisionOverheadBytes = 128;

std::size_t BytesOf(const RevisionBatch& revisions) {
  std::size_t bytes = 0;
  for (const auto& revision : revisions) {
    bytes += kRevisionOverheadBytes;
    for (const auto& change : revision->changes) {
      bytes += sizeof change + change.stored.bytes.size();
    }
  }
  return bytes;
}

}  // namespace

void WatchHub::Impl::Enqueue(RevisionBatch revisions) {
  if (revisions.empty()) return;
  InboxItem item;
  item.revisions = std::move(revisions);
  item.pin = std::exchange(head_pin_, {});
  if (prev_watchers_.load() > 0) head_pin_ = apply_store_->PinHead().pin;
  const std::size_t bytes = BytesOf(item.revisions);
  EnqueueItem(std::move(item), bytes);
}

void WatchHub::Impl::EnqueueRestored(mvcc::Store& store, absl::AnyInvocable<void()> done) {
  InboxItem item;
  item.restored = &store;
  apply_store_ = &store;
  head_pin_ = {};
  item.done = std::move(done);
  EnqueueItem(std::move(item), 0);
}

void WatchHub::Impl::EnqueueItem(InboxItem item, std::size_t bytes) {
  std::vector<InboxItem> dropped;  // freed without the lock
  {
    const base::MutexLock lock(inbox_mu_);
    inbox_bytes_ += bytes;
    if (inbox_bytes_ > options_.inbox_bytes_max) {
      for (InboxItem& waiting : std::exchange(inbox_, {})) {
        (waiting.done ? inbox_ : dropped).push_back(std::move(waiting));
      }
      dropped.push_back(std::exchange(item, {}));
      item.restored = apply_store_;
      inbox_bytes_ = 0;
    }
    inbox_.push_back(std::move(item));
    if (std::exchange(drain_posted_, true)) return;
  }
  // Also after Stop: whoever installs a snapshot waits for `done`.
  executor_.Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->DrainInbox();
  });
}

void WatchHub::Impl::DrainInbox() {
  std::vector<InboxItem> items;
  {
    const base::MutexLock lock(inbox_mu_);
    items.swap(inbox_);
    inbox_bytes_ = 0;
    drain_posted_ = false;
  }
  for (InboxItem& item : items) {
    if (item.restored != nullptr) {
      Resume(*item.restored);
      if (item.done) item.done();
      continue;
    }
    if (stopped_) continue;
    for (const auto& changes : item.revisions) {
      if (changes->revision > revision_ + 1) Resume(*store_);
      if (changes->revision <= revision_) continue;  // watchers find it in the store
      Notify(changes);
    }
    Flush();
    if (first_pin_ && revision_ > first_pin_->revision) first_pin_.reset();
  }
}

void WatchHub::Impl::Notify(const RecentRevisions::Changes& changes) {
  revision_ = changes->revision;
  recent_.Push(changes);
  MatchRevision(index_, *changes, matched_);
  if (matched_.empty()) return;
  const auto prev_of = [this](const mvcc::ChangeRecord& change) { return PrevOf(change, false); };
  RevisionEncoder encoder(*changes, prev_of);
  for (Group* group : matched_) {
    NotifyGroup(*group, changes->revision, encoder);
    group->hits.clear();
  }
}

void WatchHub::Impl::NotifyGroup(Group& group, Revision revision, RevisionEncoder& encoder) {
  const EventBlock* block = nullptr;
  for (std::size_t i = 0; i < group.synced.size();) {
    Watcher& watcher = *group.synced[i];
    if (revision < watcher.next) {  // starts in the future
      ++i;
      continue;
    }
    if (block == nullptr) block = &encoder.Block(group.hits, (group.flags & kPrevKv) != 0);
    if (Offer(watcher, revision, *block)) {
      ++i;
    } else {
      FallBehind(watcher, revision);  // takes it out of group.synced
    }
  }
}

// The store jumped: by a snapshot, or by revisions that were not announced. What lies between is
// read from it. No watcher goes back behind what it was given (etcd issue 15271) nor below its
// start revision (etcd issue 20221).
void WatchHub::Impl::Resume(mvcc::Store& store) {
  const Revision given = revision_;
  store_ = &store;
  first_pin_.reset();
  revision_ = std::max(given, store.current_revision());
  recent_.Clear();
  for (const auto& [id, stream] : streams_) {
    for (const auto& [watch_id, watcher] : stream->watchers) {
      if (watcher->state != Watcher::State::kSynced) continue;
      const Revision next = std::max(watcher->next, given + 1);
      watcher->next = next;
      if (next <= revision_) FallBehind(*watcher, next);
    }
  }
}

// The value that a change replaced. Records never change, so one that can still be read is right
// whatever compaction has marked in the meantime; catching up leaves out what is compacted, as etcd
// does, so that the answer does not depend on how far the physical deletion is.
std::optional<base::Slice> WatchHub::Impl::PrevOf(const mvcc::ChangeRecord& change,
                                                  bool omit_compacted) {
  if (!change.has_prev) return std::nullopt;
  const Revision before = change.revision.main - 1;
  if (omit_compacted && before < store_->compact_revision()) return std::nullopt;
  if (const auto* recent = recent_.FindChange(change.prev.revision)) return recent->stored;
  std::string bytes;
  const absl::Status status = store_->Fetch(
      {&change.prev, 1}, [&](std::size_t, std::string_view stored) { bytes.assign(stored); });
  if (status.ok()) return base::Slice::Own(std::move(bytes));
  if (before < store_->compact_revision()) return std::nullopt;
  base::Fatal("watch: cannot read a previous value", status);
}

}  // namespace etcd::watch
