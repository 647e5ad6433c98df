#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include "server/base/mutex.h"
#include "server/watch/recent_revisions.h"
#include "server/watch/revision_encoder.h"
#include "server/watch/watcher.h"

namespace etcd::watch {

struct CatchUp;  // catch_up.cc
struct CatchUpItem;

using Monotonic = base::Clock::Monotonic;
using RevisionBatch = std::vector<std::shared_ptr<const mvcc::RevisionChanges>>;

// Everything but the inbox belongs to the watch thread. Kept alive by the hub; tasks hold it
// weakly.
class WatchHub::Impl : public std::enable_shared_from_this<WatchHub::Impl> {
 public:
  Impl(mvcc::Store& store, base::Executor& executor, std::unique_ptr<base::Random> random,
       WatchObserver* observer, WatchOptions options);

  // ---- Any thread (watch_hub.cc).
  StreamId NextStreamId() { return StreamId(next_stream_id_.fetch_add(1) + 1); }
  // Runs `task(impl)` on the watch thread unless the hub is gone by then.
  template <typename F>
  void Post(F task) {
    executor_.Post([weak = weak_from_this(), t = std::move(task)]() mutable {
      if (const auto self = weak.lock(); self && !self->stopped_) t(*self);
    });
  }
  void Enqueue(RevisionBatch revisions);
  void EnqueueRestored(mvcc::Store& store, absl::AnyInvocable<void()> done);

  // ---- streams.cc
  void Open(StreamId id, std::shared_ptr<WatchSink> sink);
  void Close(StreamId id);
  void Create(StreamId stream, WatchSpec spec);
  void Cancel(StreamId stream, WatchId id);
  void Unblock(StreamId stream);
  void Stop();

  // ---- progress.cc
  void RequestProgress(StreamId stream);

  // ---- live.cc
  void DrainInbox();

 private:
  struct InboxItem {
    RevisionBatch revisions;
    mvcc::Store* restored = nullptr;  // set: a snapshot was installed
    absl::AnyInvocable<void()> done;
    mvcc::ReadPin pin;  // of the revision before `revisions`
  };

  // ---- live.cc
  void EnqueueItem(InboxItem item, std::size_t bytes);
  void Notify(const RecentRevisions::Changes& changes);
  void NotifyGroup(Group& group, Revision revision, RevisionEncoder& encoder);
  void Resume(mvcc::Store& store);
  std::optional<base::Slice> PrevOf(const mvcc::ChangeRecord& change, bool omit_compacted);

  // ---- streams.cc
  Stream* FindStream(StreamId id);
  std::optional<std::string> RefusalOf(const Stream& stream, const WatchSpec& spec) const;
  WatchId TakeId(Stream& stream, WatchId asked);
  std::shared_ptr<Group> GroupOf(const WatchSpec& spec);
  void Remove(Stream& stream, Watcher& watcher);
  void EndCompacted(Watcher& watcher);
  void Leave(Watcher& watcher);
  void ReleaseGroup(Watcher& watcher);
  void CountPrevWatcher(std::int64_t delta);
  void BecomeSynced(Watcher& watcher);
  void FallBehind(Watcher& watcher, Revision next);
  void CountSlow(std::int64_t delta);
  Revision current() const { return store_->current_revision(); }

  // ---- delivery.cc
  WatchMessage& Append(Stream& stream);
  // False when the stream is above its bound: nothing was taken, and the stream is blocked.
  bool Offer(Watcher& watcher, Revision header, const EventBlock& block);
  void OfferFragments(Watcher& watcher, Revision header, const base::Slice& block);
  void Touch(Stream& stream);
  void Flush();
  void AskForRoom(Stream& stream);

  // ---- progress.cc
  bool CanProgress(const Watcher& watcher) const;
  void WantTicks(Stream& stream);
  void ArmProgressTimer();
  void OnProgressTimer(Monotonic due);
  void Tick(Stream& stream);

  // ---- catch_up.cc
  void ScheduleCatchUp();
  void CatchUpStep();
  void CancelCompacted();
  void Select(CatchUp& step);
  void Read(CatchUp& step);
  bool ReadRecent(CatchUp& step);
  void Take(CatchUp& step, const mvcc::RevisionChanges& changes);
  void HandOver(CatchUpItem& item);
  void Finish(CatchUp& step);

  base::Executor& executor_;
  const std::unique_ptr<base::Random> random_;
  WatchObserver* const observer_;
  const WatchOptions options_;
  std::atomic<std::uint64_t> next_stream_id_{0};

  // Published by the apply thread, not yet seen by the watch thread. Bound: inbox_bytes_max; when
  // full, everything in it is dropped for one order to read on in the store, which the watch thread
  // treats like a snapshot. The apply thread never waits.
  base::Mutex inbox_mu_;
  std::vector<InboxItem> inbox_ ABSL_GUARDED_BY(inbox_mu_);
  std::size_t inbox_bytes_ ABSL_GUARDED_BY(inbox_mu_) = 0;
  bool drain_posted_ ABSL_GUARDED_BY(inbox_mu_) = false;

  // What a live event replaced must stay readable until this thread has sent it, even when a
  // compaction follows at once. Each batch therefore brings a pin of the revision before it, taken
  // on the apply thread when the batch before was published; `first_pin_` covers the time from the
  // creation of the first watcher with prev_kv to the first such pin.
  std::atomic<std::int64_t> prev_watchers_{0};
  mvcc::Store* apply_store_;  // apply thread
  mvcc::ReadPin head_pin_;    // apply thread
  std::optional<mvcc::PinnedHead> first_pin_;

  mvcc::Store* store_;
  Revision revision_;  // all up to here were given to the synced watchers
  RecentRevisions recent_;
  RangeIndex index_;  // of groups, whether they have synced watchers or not
  absl::btree_map<StreamId, std::unique_ptr<Stream>> streams_;
  std::vector<Stream*> touched_;
  std::vector<Group*> matched_;  // scratch
  std::uint64_t next_sequence_ = 0;

  // Watchers that read history, by (next, sequence). Served by an elevator that goes up and starts
  // again from the bottom, so that those far behind and those nearly there both advance.
  absl::btree_map<std::pair<Revision, std::uint64_t>, Watcher*> behind_;
  Revision elevator_;
  bool catch_up_posted_ = false;

  absl::btree_set<std::pair<Monotonic, StreamId>> ticks_;
  Monotonic armed_for_ = Monotonic::max();
  bool stopped_ = false;
};

}  // namespace etcd::watch
