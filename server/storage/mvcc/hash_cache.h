#pragma once

#include <deque>
#include <optional>

#include "server/base/mutex.h"
#include "server/storage/mvcc/store.h"

namespace etcd::mvcc {

// Hashes of the newest finished compactions (v3-api.md 7.5): members that compacted at the same
// revision compare them. Thread-safe.
class HashCache {
 public:
  static constexpr std::size_t kEntries = 10;

  struct Entry {
    std::uint32_t hash = 0;
    Revision compact_revision;  // of the compaction before
    Revision revision;          // that was compacted
    // At `revision` no key lives: see RecordHasher::nothing_lives.
    bool nothing_lives = false;
  };

  void Add(const Entry& entry) {
    const base::MutexLock lock(mu_);
    entries_.push_back(entry);
    if (entries_.size() > kEntries) entries_.pop_front();
  }
  std::deque<Entry> All() const {
    const base::MutexLock lock(mu_);
    return entries_;
  }
  std::optional<Entry> Find(Revision revision) const {
    const base::MutexLock lock(mu_);
    for (const Entry& entry : entries_) {
      if (entry.revision == revision) return entry;
    }
    return std::nullopt;
  }

 private:
  mutable base::Mutex mu_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mu_);  // oldest first
};

}  // namespace etcd::mvcc
