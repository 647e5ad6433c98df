#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "server/base/mutex.h"
#include "server/storage/mvcc/types.h"

namespace etcd::mvcc {

// Which revisions readers are looking at. A reader registers its revision before it looks; the
// compaction asks for the oldest one before it deletes. Thread-safe; pins may outlive it.
class ReadPins {
 public:
  ReadPins();

  // nullopt: `revision` is below the compact revision. Check and registration are one step, so
  // either the compaction sees the reader or the reader sees the compaction.
  std::optional<ReadPin> Pin(Revision revision) const;

  // -1 before the first compaction.
  Revision compact_revision() const { return Revision(compact_revision_.load()); }
  void SetCompactRevision(Revision revision);

  std::size_t size() const;

  // The oldest pinned revision, but at most `limit`.
  Revision OldestUpTo(Revision limit) const;

 private:
  struct Registry;
  struct Hold;

  const std::shared_ptr<Registry> registry_;
  std::atomic<std::int64_t> compact_revision_{-1};
};

}  // namespace etcd::mvcc
