#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>

#include "server/base/mutex.h"
#include "server/storage/mvcc/index_node.h"
#include "server/storage/mvcc/key_bounds.h"
#include "server/storage/mvcc/types.h"

// Every key of the store in memory: key -> revisions. A counted B+tree: a count at the head costs
// O(log n), at an older revision the same plus the leaves that changed since.
//
// Thread-safe. One writer (the apply thread) and the compaction thread change it, any number of
// readers look; everybody holds the lock for about `kStepKeys` keys at most. Entries newer than
// what is published are in the index already: readers pass the revision that they may see, and
// nothing newer counts.
namespace etcd::mvcc {

class KeyIndex {
 public:
  static constexpr std::size_t kStepKeys = 1000;  // entries visited under one lock

  KeyIndex();
  ~KeyIndex();
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  // ---- Writer. Revisions ascend.

  struct PutResult {
    std::optional<KvRef> previous;  // set when the key was alive
    Generation generation;          // of the new version
    std::uint32_t bytes = 0;
  };
  // `bytes_of` gives the encoded size, which depends on the generation. Runs under the lock.
  PutResult Put(std::string_view key, RevisionPair revision,
                absl::FunctionRef<std::uint32_t(Generation)> bytes_of);
  // Adds a tombstone. nullopt: the key is not alive, nothing changed.
  std::optional<KvRef> Delete(std::string_view key, RevisionPair revision);

  // ---- Readers.

  // The key at a revision; nullopt when absent or deleted there.
  std::optional<KvRef> Find(std::string_view key, Revision at) const;

  // Keys alive at `at` within the bounds.
  std::int64_t Count(const KeyBounds& bounds, Revision at) const;

  // Calls `each` for the keys alive at `at`, ascending, until it returns false. Runs under the
  // lock, which is given back every kStepKeys keys.
  void Walk(const KeyBounds& bounds, Revision at,
            absl::FunctionRef<bool(std::string_view, const KvRef&)> each) const;

  // First `limit` refs (all when <= 0) and the count, in as few locks as possible.
  std::int64_t Range(const KeyBounds& bounds, Revision at, std::int64_t limit,
                     std::vector<KvRef>& refs) const;

  // ---- Compaction.

  // One bounded step over the keys from `from` on, also within a key with a long history: drops
  // what compaction at `at` makes unreachable, appended to `dropped` (ascending within each key).
  // Returns where to go on, nullopt at the end.
  std::optional<std::string> CompactStep(std::string_view from, Revision at,
                                         std::vector<RevEntry>& dropped);

  // ---- Loading, before anything else: all records in ascending key order.

  void LoadSorted(absl::FunctionRef<Record*()> next);  // null ends

  // ---- Records without a KeyValue (rev_record.h). etcd has them in its index as versions of a key
  // "", which no request can name: a compaction keeps the newest, and hashes count it.

  // All that the engine holds, ascending; once, when loading.
  void SetOrphans(std::vector<RevisionPair> orphans) { orphans_ = std::move(orphans); }
  // The newest up to `at`, which compaction there keeps.
  std::optional<RevisionPair> NewestOrphan(Revision at) const;

  // ---- Accounting.

  struct Usage {
    std::size_t keys = 0;
    std::size_t heap_bytes = 0;
  };
  Usage MeasureUsage() const;    // walks everything; for tests and benchmarks
  void CheckInvariants() const;  // walks everything; for tests

 private:
  static constexpr std::size_t kMaxDepth = 12;  // 64^12 keys

  struct Path {
    std::array<Inner*, kMaxDepth> nodes;
    std::array<std::size_t, kMaxDepth> indexes;
    std::size_t depth = 0;
    Leaf* leaf = nullptr;
    std::size_t at = 0;  // position in the leaf
  };
  struct CountStep;
  class ReadGuard;
  class WriteGuard;

  Path Descend(std::string_view key) const;
  const Record* FindRecord(std::string_view key) const;
  static bool Holds(const Path& path, std::string_view key);
  void Replace(const Path& path, Record* record);
  void Insert(Path& path, Record* record);
  void ApplyDelta(const Path& path, const SubtreeStats& before, const SubtreeStats& after);

  void SplitLeaf(Path& path);
  void InsertChild(Path& path, std::size_t level, NodeBase* right, std::string lower);
  void SplitInner(Path& path, std::size_t level);
  void RefreshStats(const Path& path, std::size_t level);

  bool FindHistories(NodeBase* node, std::string_view from, bool bounded, Path& path) const;
  std::string CompactLeaf(Path& path, Revision at, std::size_t max, std::vector<RevEntry>& dropped);
  void ShrinkAfterRemoval(Path& path);
  void RemoveChild(Path& path, std::size_t level, std::size_t index);
  bool MergeLeaf(Path& path);

  void CountIn(const NodeBase* node, bool check_from, bool check_end, CountStep& step) const;
  bool WalkStep(std::string& from, const KeyBounds& bounds, Revision at,
                absl::FunctionRef<bool(std::string_view, const KvRef&)> each) const;
  bool WalkLeaves(std::string& from, const KeyBounds& bounds, Revision at,
                  absl::FunctionRef<bool(std::string_view, const KvRef&)> each) const;

  mutable base::SharedMutex mu_;
  // Readers pass through here while a writer waits, since the system's shared mutex would let an
  // unbroken row of readers starve it.
  mutable base::Mutex turnstile_;
  mutable std::atomic<int> writers_waiting_{0};
  NodeBase* root_;
  std::vector<RevisionPair> orphans_;  // never changed after loading
};

}  // namespace etcd::mvcc
