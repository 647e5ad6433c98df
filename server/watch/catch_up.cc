#include <algorithm>
#include <deque>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "server/base/check.h"
#include "server/base/failpoint.h"
#include "server/base/status.h"
#include "server/watch/watch_hub_impl.h"

// History for watchers that are behind: one step reads a stretch of revisions once for all watchers
// that need it, then live events get their turn.
namespace etcd::watch {

// Watchers of one group that need the same stretch get the same blocks.
struct CatchUpItem final : RangeItem {
  std::shared_ptr<Group> group;
  std::uint8_t flags = 0;
  Revision next;
  std::vector<Watcher*> watchers;
  std::vector<std::uint32_t> hits;
  // Collected and not yet handed over:
  std::string bytes;
  std::uint32_t events = 0;
  std::int64_t revisions = 0;
  Revision first;  // revision of the first event in `bytes`
};

// One step.
struct CatchUp {
  Revision from;
  Revision to;            // last revision that the step has looked at, or will
  std::size_t bytes = 0;  // stored bytes looked at, and bytes collected for watchers
  std::deque<CatchUpItem> items;
  RangeIndex index;
  std::vector<CatchUpItem*> matched;
};

void WatchHub::Impl::ScheduleCatchUp() {
  if (std::exchange(catch_up_posted_, true)) return;
  Post([](Impl& impl) { impl.CatchUpStep(); });
}

void WatchHub::Impl::CatchUpStep() {
  FAILPOINT("beforeSyncWatchers");
  catch_up_posted_ = false;
  CancelCompacted();
  if (!behind_.empty()) {
    CatchUp step;
    Select(step);
    Read(step);
    Finish(step);
  }
  Flush();
  if (!behind_.empty()) ScheduleCatchUp();
}

// A slow watcher whose revisions were compacted must be told; silently going on would lose events
// (etcd issue 17529).
void WatchHub::Impl::CancelCompacted() {
  const Revision compacted = store_->compact_revision();
  while (!behind_.empty() && behind_.begin()->first.first < compacted) {
    EndCompacted(*behind_.begin()->second);
  }
}

// Takes watchers from the elevator's position on, out of behind_.
void WatchHub::Impl::Select(CatchUp& step) {
  auto it = behind_.lower_bound({elevator_, 0});
  if (it == behind_.end()) it = behind_.begin();
  step.from = it->first.first;
  step.to = std::min(revision_, step.from + (options_.catch_up_revisions_per_step - 1));
  absl::flat_hash_map<std::pair<const Group*, Revision>, CatchUpItem*> items;
  std::size_t taken = 0;
  while (it != behind_.end() && it->first.first <= step.to && taken < options_.catch_up_watchers) {
    Watcher& watcher = *it->second;
    it = behind_.erase(it);
    watcher.state = Watcher::State::kMoving;
    if (watcher.stream->blocked) {
      FallBehind(watcher, watcher.next);  // parks it
      continue;
    }
    ++taken;
    CatchUpItem*& item = items[{watcher.group.get(), watcher.next}];
    if (item == nullptr) {
      item = &step.items.emplace_back();
      item->group = watcher.group;
      item->flags = watcher.group->flags;
      item->next = watcher.next;
      step.index.Add(watcher.group->range, item);
    }
    item->watchers.push_back(&watcher);
  }
}

void WatchHub::Impl::Read(CatchUp& step) {
  if (step.items.empty() || step.from > step.to || ReadRecent(step)) return;
  const Revision to = std::exchange(step.to, step.from - 1);
  auto cursor = store_->ReadHistory(step.from, to);
  absl::Status status = cursor.status();
  while (status.ok()) {
    auto changes = (*cursor)->Next();
    status = changes.status();
    if (!status.ok()) break;
    if (*changes == nullptr) {
      step.to = to;
      return;
    }
    Take(step, **changes);
    step.to = (*changes)->revision;
    if (step.bytes >= options_.catch_up_bytes_per_step) return;
  }
  // Compacted under the reader: what it saw is right; the next step tells the watchers.
  if (ErrcOf(status) != Errc::kCompacted) base::Fatal("watch: cannot read history", status);
}

bool WatchHub::Impl::ReadRecent(CatchUp& step) {
  if (recent_.Find(step.from) == nullptr || recent_.Find(step.to) == nullptr) return false;
  for (Revision revision = step.from; revision <= step.to; ++revision) {
    const auto changes = *recent_.Find(revision);
    Take(step, *changes);
    if (step.bytes >= options_.catch_up_bytes_per_step) step.to = revision;
  }
  return true;
}

void WatchHub::Impl::Take(CatchUp& step, const mvcc::RevisionChanges& changes) {
  for (const auto& change : changes.changes) step.bytes += change.stored.bytes.size();
  MatchRevision(step.index, changes, step.matched);
  const auto prev_of = [this](const mvcc::ChangeRecord& change) { return PrevOf(change, true); };
  RevisionEncoder encoder(changes, prev_of);
  for (CatchUpItem* item : step.matched) {
    if (changes.revision >= item->next && !item->watchers.empty()) {
      if (item->revisions == options_.catch_up_revisions_per_response) HandOver(*item);
      if (item->revisions++ == 0) item->first = changes.revision;
      const std::size_t before = item->bytes.size();
      encoder.Append(item->bytes, item->hits, (item->flags & kPrevKv) != 0);
      // Counted for each item: many different ranges over the same history must not add up.
      step.bytes += item->bytes.size() - before;
      item->events += static_cast<std::uint32_t>(item->hits.size());
    }
    item->hits.clear();
  }
}

// A watcher advances only when its events were handed over (etcd issue 17529): one whose stream is
// full stays where its unsent events begin.
void WatchHub::Impl::HandOver(CatchUpItem& item) {
  if (item.revisions == 0) return;
  const EventBlock block{base::Slice::Own(std::move(item.bytes)), item.events};
  std::erase_if(item.watchers, [&](Watcher* watcher) {
    if (Offer(*watcher, revision_, block)) return false;
    FallBehind(*watcher, item.first);
    return true;
  });
  item.bytes.clear();
  item.events = 0;
  item.revisions = 0;
}

void WatchHub::Impl::Finish(CatchUp& step) {
  for (CatchUpItem& item : step.items) {
    HandOver(item);
    for (Watcher* watcher : item.watchers) {
      watcher->next = std::max(watcher->next, step.to + 1);
      if (watcher->next > revision_) {
        BecomeSynced(*watcher);
      } else {
        FallBehind(*watcher, watcher->next);
      }
    }
  }
  elevator_ = step.to + 1;
}

}  // namespace etcd::watch
