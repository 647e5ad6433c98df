#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "server/storage/mvcc/types.h"

// The index entry of one key: its revisions, oldest first, packed for a million of them.
namespace etcd::mvcc {

// One change of a key. 16 bytes.
struct RevEntry {
  std::int64_t main = 0;
  std::uint32_t sub = 0;
  std::uint32_t bytes = 0;  // encoded size of the stored KeyValue; 0 = tombstone (a KeyValue always
                            // holds a key, so no live record has size 0)

  bool is_tombstone() const { return bytes == 0; }
  RevisionPair revision() const { return {Revision(main), sub}; }
  KvRef ref() const { return {revision(), bytes}; }
};

// Where a key stands in its current generation (etcd's word: the life between a create and the
// tombstone that ends it). Zero when the newest change is a tombstone.
struct Generation {
  std::int64_t create = 0;
  std::int64_t version = 0;
};

// Variable-size and heap-allocated; functions that may move it return the address to use from then
// on. Three forms: a key written once (the common one: 20 bytes and the key), a key with one live
// revision left by compaction (16 more), and a key with history. Not thread-safe.
class Record {
 public:
  static Record* New(std::string_view key, RevEntry entry, Generation generation);
  static void Free(Record* record);

  std::string_view key() const;
  std::span<const RevEntry> entries() const;  // never empty
  const RevEntry& newest() const { return entries().back(); }
  Generation generation() const;
  bool is_live() const { return !newest().is_tombstone(); }
  // More than one entry, or a tombstone: compaction may find something to drop.
  bool has_history() const { return form() == Form::kHistory; }

  // Newest entry with main <= at, or null.
  const RevEntry* FindAt(Revision at) const;

  static Record* Append(Record* record, RevEntry entry, Generation generation);

  // Drops what compaction at `at` makes unreachable and appends it to `dropped`, ascending: all
  // before the newest entry with main <= at, and that one too if it is a tombstone below `at` (one
  // exactly at `at` stays: a watch from there must still see the delete; etcd issue 18089).
  // Returns null when nothing is left. At most `max` entries in one call, the oldest; call again
  // when that many were dropped.
  static Record* Compact(Record* record, Revision at, std::size_t max,
                         std::vector<RevEntry>& dropped);

  // Heap bytes behind the record, for memory accounting.
  std::size_t heap_bytes() const;

 private:
  enum class Form : std::uint32_t { kSingle = 0, kCompacted = 1, kHistory = 2 };
  struct History;

  explicit Record(std::uint32_t key_size_and_form)
      : single_{}, key_size_and_form_(key_size_and_form) {}
  Form form() const { return static_cast<Form>(key_size_and_form_ >> 30); }
  std::uint32_t key_size() const { return key_size_and_form_ & 0x3fffffffU; }
  const char* tail() const { return reinterpret_cast<const char*>(this) + kHeaderBytes; }
  char* tail() { return reinterpret_cast<char*>(this) + kHeaderBytes; }
  static Record* Allocate(std::string_view key, Form form);

  static constexpr std::size_t kHeaderBytes = 20;

  // `history` with the entries before `first` dropped: a long one is moved down only when at least
  // as much is dropped as is left, so that compacting it in steps costs no more than at once.
  struct Many {
    History* history;
    std::uint32_t first;
  };

  union {
    RevEntry single_;  // kSingle, kCompacted
    Many many_;        // kHistory
  };
  std::uint32_t key_size_and_form_;
  // Behind: the key; in form kCompacted a Generation (unaligned) stands before it.
};

}  // namespace etcd::mvcc
