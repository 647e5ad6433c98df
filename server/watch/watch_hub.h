#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/functional/any_invocable.h>

#include "server/base/executor.h"
#include "server/base/ids.h"
#include "server/base/random.h"
#include "server/base/rope.h"
#include "server/storage/mvcc/store.h"
#include "server/storage/mvcc/types.h"

// Watchers over the key space: every change of a key reaches every watcher of it, in revision
// order, once, without gaps.
namespace etcd::watch {

using StreamId = base::StrongInt<struct WatchStreamTag, std::uint64_t>;

// A WatchCreateRequest after the permission check of the API layer.
struct WatchSpec {
  std::string key;          // "" is taken as "\0"
  std::string range_end;    // as mvcc::KeyRange
  Revision start_revision;  // 0: from now on
  WatchId watch_id;         // 0: chosen by the hub, from 0 up
  bool progress_notify = false;
  bool prev_kv = false;
  bool fragment = false;
  bool no_put = false;
  bool no_delete = false;
  // Not empty: the permission check failed; this is the cancel_reason ("rpc error: code = ...").
  // The hub refuses, in etcd's order of checks (start_revision, permission, range, id).
  std::string denied_reason;
};

// One WatchResponse. The API layer adds cluster id, member id and term to the header.
struct WatchMessage {
  enum class Kind : std::uint8_t {
    kCreated,    // created
    kRefused,    // created + canceled, watch_id -1, cancel_reason
    kEvents,     // events [+ fragment]
    kProgress,   // no events; watch_id -1 = the whole stream
    kCanceled,   // canceled: the client asked for it
    kCompacted,  // canceled + compact_revision, header revision 0
  };
  Kind kind = Kind::kEvents;
  bool fragment = false;  // more pieces of this response follow, contiguously
  WatchId watch_id;
  Revision header_revision;
  Revision compact_revision;  // kCompacted only
  std::string cancel_reason;  // kRefused only
  // WatchResponse field 11, repeated: tag, length, Event. Shared by all watchers that get the same.
  base::Slice events;
};

// The outgoing half of a Watch stream. Implemented by the API layer over base::StreamSink; called
// on the watch thread, must not block and must not call the hub back synchronously.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // Hands messages over, in order. The sink may move out of them. Does nothing once the stream has
  // ended (the hub hears of it by CloseStream).
  virtual void Deliver(std::span<WatchMessage> messages) = 0;
  // As in base::StreamSink.
  virtual std::size_t PendingBytes() const = 0;
  virtual void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) = 0;
};

struct WatchOptions {
  // Longer responses are split when the client asked for fragments:
  // --max-request-bytes + 512 KiB.
  std::size_t fragment_bytes = 1'572'864 + 524'288;
  // --watch-progress-notify-interval; each stream adds up to 10 % at random.
  std::chrono::nanoseconds progress_interval = std::chrono::minutes(10);
  // A stream with more than this pending gets no events until half of it is gone; its watchers
  // then read history. Bounds the memory that a slow client can hold.
  std::size_t stream_pending_bytes_max = 1 << 20;
  // Stored bytes of revisions that may wait for the watch thread. Above it they are forgotten and
  // it reads them from the store instead.
  std::size_t inbox_bytes_max = 32 << 20;
  // Recent revisions kept in memory for watchers that catch up.
  std::size_t recent_bytes_max = 8 << 20;
  std::int64_t catch_up_revisions_per_response = 1000;
  std::size_t catch_up_watchers = 512;              // per step of catching up
  std::int64_t catch_up_revisions_per_step = 2000;  // then live events get their turn
  std::size_t catch_up_bytes_per_step = 8 << 20;    // read and collected
};

// Gauges and counters; called on the watch thread. Deltas of a closed stream always add up to 0.
class WatchObserver {
 public:
  virtual ~WatchObserver() = default;
  virtual void OnStreams(std::int64_t /*delta*/) {}       // mvcc_watch_stream_total
  virtual void OnWatchers(std::int64_t /*delta*/) {}      // mvcc_watcher_total
  virtual void OnSlowWatchers(std::int64_t /*delta*/) {}  // mvcc_slow_watcher_total
  virtual void OnEvents(std::int64_t /*count*/) {}        // mvcc_events_total: handed to sinks
};

// Owner thread: the watch executor. Every public method is thread-safe and only posts; calls made
// by one thread take effect in order. Answers come through the stream's sink.
//
// Deliveries of one stream are ordered: created before events, events by revision per watcher, a
// progress mark after every event at or below it.
class WatchHub final : public mvcc::RevisionObserver {
 public:
  // `store`, `executor` and `observer` (may be null) must outlive the hub. Make it before revisions
  // are published; connect it with store.SetObserver.
  WatchHub(mvcc::Store& store, base::Executor& executor, std::unique_ptr<base::Random> random,
           WatchObserver* observer, WatchOptions options);
  ~WatchHub() override;
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  StreamId OpenStream(std::shared_ptr<WatchSink> sink);
  // Answers kCreated or kRefused; a refused id is not taken and the stream goes on.
  void Create(StreamId stream, WatchSpec spec);
  // Answers kCanceled when the id is known, nothing otherwise.
  void Cancel(StreamId stream, WatchId id);
  // Answers one kProgress with id -1 when every watcher of the stream is synced and none starts in
  // the future; nothing otherwise.
  void RequestProgress(StreamId stream);
  // Nothing is delivered after it took effect; the sink is let go. Idempotent.
  void CloseStream(StreamId stream);

  // Apply thread.
  void OnRevisions(
      const std::vector<std::shared_ptr<const mvcc::RevisionChanges>>& revisions) override;
  void OnReplaced(mvcc::Store& store) override { Restored(store, nullptr); }
  // A snapshot was installed: `store` (a new object or the old one) now holds it. Watchers resume
  // at their next revision from it. `done` is called once the old store is no longer used.
  void Restored(mvcc::Store& store, absl::AnyInvocable<void()> done);

  // Drops all streams; later calls do nothing. Idempotent. Call before the executor stops.
  void Stop();

  class Impl;  // public for the implementation files only

 private:
  std::shared_ptr<Impl> impl_;  // tasks on the executor hold it weakly
};

}  // namespace etcd::watch
