#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <absl/container/btree_map.h>

#include "server/watch/range_index.h"
#include "server/watch/watch_hub.h"

// The records of the hub. Everything here belongs to the watch thread.
namespace etcd::watch {

struct Stream;
struct Watcher;

enum GroupFlags : std::uint8_t { kPrevKv = 1, kNoPut = 2, kNoDelete = 4 };

// All watchers that see the same events: same range, filters and prev_kv. Owned by its watchers.
struct Group final : RangeItem, std::enable_shared_from_this<Group> {
  WatchRange range;
  std::uint8_t flags = 0;           // GroupFlags
  std::vector<Watcher*> synced;     // those that get live events; Watcher::slot is the position
  std::vector<std::uint32_t> hits;  // scratch: changes of the revision at hand, ascending
};

struct Watcher {
  enum class State : std::uint8_t {
    kSynced,   // in group->synced; has everything up to the hub's revision, or starts later
    kWaiting,  // in the hub's `behind`: reads history when its turn comes
    kParked,   // in stream->parked: behind, and the stream takes nothing now
    kMoving,   // in the catch-up step that is running
    kEnded,    // canceled by compaction; the id stays taken until the client cancels it
  };
  Stream* stream = nullptr;
  std::shared_ptr<Group> group;
  WatchId id;
  Revision start_revision;  // as asked for; 0: from creation on
  // The first revision that was not handed to the sink. A synced watcher's is not advanced with
  // every revision: it only says where its events begin.
  Revision next;
  std::uint64_t sequence = 0;  // order of creation over all streams
  std::uint32_t slot = 0;      // in group->synced or stream->parked
  State state = State::kSynced;
  bool progress_notify = false;
  bool fragment = false;
  bool idle = true;  // nothing was sent since the last progress tick
};

struct Stream {
  StreamId id;
  std::shared_ptr<WatchSink> sink;
  absl::btree_map<WatchId, std::unique_ptr<Watcher>> watchers;
  std::vector<Watcher*> parked;
  std::int64_t next_auto_id = 0;
  std::size_t progress_watchers = 0;
  base::Clock::Monotonic opened;
  std::chrono::nanoseconds progress_interval{};
  std::optional<base::Clock::Monotonic> next_tick;  // set: it is in the hub's `ticks_`

  // Messages of the task that runs; flushed at its end.
  std::vector<WatchMessage> outbox;
  std::size_t pending_bytes = 0;  // sink's, as of the first message of this task, plus outbox
  bool touched = false;           // in the hub's list of streams to flush
  bool blocked = false;           // above the bound; NotifyWhenBelow is asked for or about to be
  bool notify_asked = false;
};

// Vectors of watchers with O(1) removal.
inline void AddTo(std::vector<Watcher*>& list, Watcher& watcher) {
  watcher.slot = static_cast<std::uint32_t>(list.size());
  list.push_back(&watcher);
}
inline void RemoveFrom(std::vector<Watcher*>& list, const Watcher& watcher) {
  list[watcher.slot] = list.back();
  list[watcher.slot]->slot = watcher.slot;
  list.pop_back();
}

}  // namespace etcd::watch
