#include <algorithm>
#include <limits>
#include <utility>

#include "server/base/errc.h"
#include "server/base/failpoint.h"
#include "server/watch/watch_hub_impl.h"

// Opening and closing streams, creating and canceling watchers.
namespace etcd::watch {
namespace {

constexpr std::string_view kReasonEmptyRange = "mvcc: watcher range is empty";
constexpr std::string_view kReasonDuplicateId =
    "mvcc: duplicate watch ID provided on the WatchStream";
constexpr WatchId kNoWatchId(-1);

std::uint8_t FlagsOf(const WatchSpec& spec) {
  return static_cast<std::uint8_t>((spec.prev_kv ? kPrevKv : 0) | (spec.no_put ? kNoPut : 0) |
                                   (spec.no_delete ? kNoDelete : 0));
}

}  // namespace

Stream* WatchHub::Impl::FindStream(StreamId id) {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second.get();
}

void WatchHub::Impl::Open(StreamId id, std::shared_ptr<WatchSink> sink) {
  auto stream = std::make_unique<Stream>();
  stream->id = id;
  stream->sink = std::move(sink);
  stream->opened = executor_.clock().Now();
  // Up to a tenth more, so that the streams of a restarted server do not all tick together.
  const auto tenth = static_cast<std::uint64_t>(options_.progress_interval.count()) / 10;
  stream->progress_interval =
      options_.progress_interval + std::chrono::nanoseconds(random_->Below(tenth + 1));
  streams_.emplace(id, std::move(stream));
  if (observer_ != nullptr) observer_->OnStreams(1);
}

void WatchHub::Impl::Close(StreamId id) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  Stream& stream = *it->second;
  for (const auto& [watch_id, watcher] : stream.watchers) Leave(*watcher);
  if (stream.next_tick) ticks_.erase({*stream.next_tick, id});
  streams_.erase(it);
  if (observer_ != nullptr) observer_->OnStreams(-1);
}

void WatchHub::Impl::Stop() {
  while (!streams_.empty()) Close(streams_.begin()->first);
  recent_.Clear();
  stopped_ = true;
}

// In etcd's order of checks (v3-api.md 4.2).
std::optional<std::string> WatchHub::Impl::RefusalOf(const Stream& stream,
                                                     const WatchSpec& spec) const {
  // Never a normal watcher: it would wait for ever where nothing is compacted (etcd issue 20707).
  if (spec.start_revision < Revision(0)) return std::string(RowOf(Errc::kCompacted).message);
  if (!spec.denied_reason.empty()) return spec.denied_reason;
  const WatchRange range{spec.key, spec.range_end};
  if (!range.IsExact() && !range.IsOpenEnded() && range.begin >= range.end) {
    return std::string(kReasonEmptyRange);
  }
  if (spec.watch_id && stream.watchers.contains(spec.watch_id)) {
    return std::string(kReasonDuplicateId);
  }
  return std::nullopt;
}

WatchId WatchHub::Impl::TakeId(Stream& stream, WatchId asked) {
  if (asked) return asked;
  while (stream.watchers.contains(WatchId(stream.next_auto_id))) ++stream.next_auto_id;
  return WatchId(stream.next_auto_id++);
}

std::shared_ptr<Group> WatchHub::Impl::GroupOf(const WatchSpec& spec) {
  const WatchRange range{spec.key, spec.range_end};
  const std::uint8_t flags = FlagsOf(spec);
  if (const auto* items = index_.Find(range)) {
    for (RangeItem* item : *items) {
      auto* group = static_cast<Group*>(item);
      if (group->flags == flags) return group->shared_from_this();
    }
  }
  auto group = std::make_shared<Group>();
  group->range = range;
  group->flags = flags;
  index_.Add(range, group.get());
  return group;
}

void WatchHub::Impl::Create(StreamId stream_id, WatchSpec spec) {
  Stream* stream = FindStream(stream_id);
  if (stream == nullptr) return;
  if (spec.key.empty()) spec.key.assign(1, '\0');
  if (spec.prev_kv) CountPrevWatcher(1);  // before `now`: the pin must not be above it
  const Revision now = current();
  WatchMessage& message = Append(*stream);
  message.header_revision = now;
  if (auto refusal = RefusalOf(*stream, spec)) {
    message.kind = WatchMessage::Kind::kRefused;
    message.watch_id = kNoWatchId;
    message.cancel_reason = std::move(*refusal);
    if (spec.prev_kv) CountPrevWatcher(-1);
    return Flush();
  }
  auto owned = std::make_unique<Watcher>();
  Watcher& watcher = *owned;
  watcher.stream = stream;
  watcher.group = GroupOf(spec);
  watcher.id = TakeId(*stream, spec.watch_id);
  watcher.start_revision = spec.start_revision;
  // `now` may be ahead of what this thread has seen: events up to it are no news to the client.
  watcher.next = spec.start_revision ? spec.start_revision : now + 1;
  watcher.sequence = next_sequence_++;
  watcher.progress_notify = spec.progress_notify;
  watcher.fragment = spec.fragment;
  stream->watchers.emplace(watcher.id, std::move(owned));
  message.kind = WatchMessage::Kind::kCreated;
  message.watch_id = watcher.id;
  if (watcher.progress_notify) ++stream->progress_watchers;
  if (observer_ != nullptr) observer_->OnWatchers(1);

  AddTo(watcher.group->synced, watcher);
  if (watcher.next < store_->compact_revision()) {
    EndCompacted(watcher);
  } else if (watcher.next <= revision_) {
    FallBehind(watcher, watcher.next);
  }
  if (stream->progress_watchers > 0) WantTicks(*stream);
  Flush();
}

void WatchHub::Impl::Cancel(StreamId stream_id, WatchId id) {
  Stream* stream = FindStream(stream_id);
  if (stream == nullptr) return;
  const auto it = stream->watchers.find(id);
  if (it == stream->watchers.end()) return;
  Leave(*it->second);
  stream->watchers.erase(it);
  WatchMessage& message = Append(*stream);
  message.kind = WatchMessage::Kind::kCanceled;
  message.watch_id = id;
  message.header_revision = current();
  Flush();
}

// Ends a watcher that needs revisions which are gone. Its id stays taken, as in etcd.
void WatchHub::Impl::EndCompacted(Watcher& watcher) {
  Leave(watcher);
  watcher.state = Watcher::State::kEnded;
  WatchMessage& message = Append(*watcher.stream);
  message.kind = WatchMessage::Kind::kCompacted;
  message.watch_id = watcher.id;
  message.compact_revision = store_->compact_revision();
}

// Takes the watcher out of whatever it is in. The one place where a watcher stops counting.
void WatchHub::Impl::Leave(Watcher& watcher) {
  switch (watcher.state) {
    case Watcher::State::kSynced:
      RemoveFrom(watcher.group->synced, watcher);
      break;
    case Watcher::State::kWaiting:
      behind_.erase({watcher.next, watcher.sequence});
      CountSlow(-1);
      break;
    case Watcher::State::kParked:
      RemoveFrom(watcher.stream->parked, watcher);
      CountSlow(-1);
      break;
    case Watcher::State::kMoving:
      CountSlow(-1);
      break;
    case Watcher::State::kEnded:
      return;
  }
  ReleaseGroup(watcher);
  if (watcher.progress_notify) --watcher.stream->progress_watchers;
  if (observer_ != nullptr) observer_->OnWatchers(-1);
}

void WatchHub::Impl::ReleaseGroup(Watcher& watcher) {
  if ((watcher.group->flags & kPrevKv) != 0) CountPrevWatcher(-1);
  if (watcher.group.use_count() == 1) index_.Remove(watcher.group->range, watcher.group.get());
  watcher.group.reset();
}

void WatchHub::Impl::CountPrevWatcher(std::int64_t delta) {
  const std::int64_t before = prev_watchers_.fetch_add(delta);
  if (before == 0) first_pin_ = store_->PinHead();
  if (before + delta == 0) first_pin_.reset();
}

void WatchHub::Impl::CountSlow(std::int64_t delta) {
  if (observer_ != nullptr) observer_->OnSlowWatchers(delta);
}

// From kMoving.
void WatchHub::Impl::BecomeSynced(Watcher& watcher) {
  watcher.state = Watcher::State::kSynced;
  AddTo(watcher.group->synced, watcher);
  CountSlow(-1);
}

// From kSynced, kParked or kMoving: `next` is the first revision that it was not given.
void WatchHub::Impl::FallBehind(Watcher& watcher, Revision next) {
  if (watcher.state == Watcher::State::kSynced) {
    RemoveFrom(watcher.group->synced, watcher);
    CountSlow(1);
  }
  watcher.next = next;
  if (watcher.stream->blocked) {
    watcher.state = Watcher::State::kParked;
    AddTo(watcher.stream->parked, watcher);
    return;
  }
  watcher.state = Watcher::State::kWaiting;
  behind_.emplace(std::pair(next, watcher.sequence), &watcher);
  ScheduleCatchUp();
}

void WatchHub::Impl::Unblock(StreamId stream_id) {
  Stream* stream = FindStream(stream_id);
  if (stream == nullptr) return;
  stream->blocked = false;
  stream->notify_asked = false;
  FAILPOINT("beforeMoveVictims");
  std::vector<Watcher*> parked;
  parked.swap(stream->parked);
  for (Watcher* watcher : parked) {
    watcher->state = Watcher::State::kMoving;
    FallBehind(*watcher, watcher->next);
  }
}

}  // namespace etcd::watch
