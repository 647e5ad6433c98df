#include <algorithm>
#include <utility>

#include "server/base/failpoint.h"
#include "server/watch/watch_hub_impl.h"

// Progress marks. They go through the same outboxes as events, so whatever is at or below the mark
// is before it on the stream (etcd issue 15220).
namespace etcd::watch {

// True when the watcher has had everything up to revision_, and revision_ is not below the revision
// at which it starts (etcd issue 20221).
bool WatchHub::Impl::CanProgress(const Watcher& watcher) const {
  return watcher.state == Watcher::State::kSynced && watcher.next <= revision_ + 1 &&
         watcher.start_revision <= revision_;
}

void WatchHub::Impl::RequestProgress(StreamId stream_id) {
  Stream* stream = FindStream(stream_id);
  if (stream == nullptr || stream->watchers.empty() || stream->blocked) return;
  FAILPOINT("beforeProgressIfSync");
  for (const auto& [id, watcher] : stream->watchers) {
    if (!CanProgress(*watcher)) return;
  }
  WatchMessage& message = Append(*stream);
  message.kind = WatchMessage::Kind::kProgress;
  message.watch_id = WatchId(-1);
  message.header_revision = revision_;
  Flush();
}

// The ticks of a stream are multiples of its interval from its opening on.
void WatchHub::Impl::WantTicks(Stream& stream) {
  if (stream.next_tick) return;
  const auto age = executor_.clock().Now() - stream.opened;
  stream.next_tick =
      stream.opened + stream.progress_interval * (age / stream.progress_interval + 1);
  ticks_.emplace(*stream.next_tick, stream.id);
  ArmProgressTimer();
}

void WatchHub::Impl::ArmProgressTimer() {
  if (ticks_.empty() || ticks_.begin()->first >= armed_for_) return;
  armed_for_ = ticks_.begin()->first;
  const auto delay = std::max(armed_for_ - executor_.clock().Now(), Monotonic::duration::zero());
  executor_.PostAfter(delay, [weak = weak_from_this(), due = armed_for_] {
    if (const auto self = weak.lock(); self && !self->stopped_) self->OnProgressTimer(due);
  });
}

void WatchHub::Impl::OnProgressTimer(Monotonic due_now) {
  if (due_now != armed_for_) return;  // overtaken by an earlier one
  armed_for_ = Monotonic::max();
  const Monotonic now = executor_.clock().Now();
  while (!ticks_.empty() && ticks_.begin()->first <= now) {
    const auto [due, id] = *ticks_.begin();
    ticks_.erase(ticks_.begin());
    Stream& stream = *FindStream(id);
    stream.next_tick.reset();
    if (stream.progress_watchers == 0) continue;
    Tick(stream);
    WantTicks(stream);
  }
  ArmProgressTimer();
  Flush();
}

// A watcher that was given nothing since the last tick, and lacks nothing, gets a mark of its own.
void WatchHub::Impl::Tick(Stream& stream) {
  for (const auto& [id, watcher] : stream.watchers) {
    if (!watcher->progress_notify) continue;
    if (std::exchange(watcher->idle, true) && CanProgress(*watcher) && !stream.blocked) {
      WatchMessage& message = Append(stream);
      message.kind = WatchMessage::Kind::kProgress;
      message.watch_id = id;
      message.header_revision = revision_;
    }
  }
}

}  // namespace etcd::watch
