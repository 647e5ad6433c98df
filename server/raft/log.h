#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "server/base/ids.h"
#include "server/raft/types.h"

namespace etcd::raft {

// Bytes of the entry in its protobuf form: what etcd's size limits count.
std::uint64_t EncodedBytes(const Entry& entry);

// The log of one member since its last compaction, in memory. Entries are appended here first and
// written to the WAL through Ready; four cursors tell how far each entry has come:
//
//   first_index - 1 <= applied <= handed out <= committed <= last_index
//   applying needs min(committed, persisted); persisted <= taken <= last_index
//
// taken: given to the driver for writing; persisted: reported written. Truncation moves both back
// and shortens the writes that are still under way, so that a late report of an overwritten entry
// is never believed. Owner: Core.
class Log {
 public:
  // `entries` follow `boundary.index` without gap and are all durable.
  Log(const SnapshotMetadata& boundary, std::vector<Entry> entries, Index committed, Index applied);

  Index first_index() const { return boundary_index_ + 1; }
  Index last_index() const { return boundary_index_ + entries_.size(); }
  Term last_term() const { return term_at(last_index()); }
  Index committed() const { return committed_; }
  Index applied() const { return applied_; }
  Index persisted() const { return persisted_; }
  std::uint64_t bytes() const { return bytes_; }

  // 0 when compacted or not there; the entry before first_index is still known.
  Term term_at(Index index) const;
  bool Knows(Index index) const { return index >= boundary_index_ && index <= last_index(); }
  bool Matches(Index index, Term term) const { return Knows(index) && term_at(index) == term; }
  // Election restriction (paper 5.4.1): a log that ends in (index, term) has all that this one has.
  bool IsUpToDate(Index index, Term term) const;
  // The largest index <= `index` whose term is <= `term`, with its term; its term is 0 when that
  // place is compacted. Skips whole terms in the search for the common prefix (paper 5.3).
  std::pair<Index, Term> FindConflictByTerm(Index index, Term term) const;

  const Entry& at(Index index) const;
  // Entries [from, ...] of at most `bytes_max` encoded bytes, at least one if there is any.
  std::vector<Entry> From(Index from, std::uint64_t bytes_max) const;
  // Is there a configuration change in (applied, committed]?
  bool HasUnappliedConfChange() const;

  // A leader's own entry; the index is given here.
  void Append(Term term, EntryType type, Payload data);
  // A leader's entries after a matching (prev_index, prev_term); replaces a conflicting suffix.
  // Returns the last index that now equals the leader's.
  Index Merge(Index prev_index, std::vector<Entry> entries);
  void CommitTo(Index index);
  // The whole log becomes the snapshot; its entries count as handed out.
  void Restore(const SnapshotMetadata& snapshot);
  void Compact(Index index);

  // ---- What the driver does with it ----
  bool HasUntaken() const { return taken_ < last_index(); }
  // Entries that were not given out for writing yet; `number` names the write.
  std::vector<Entry> TakeUnwritten(std::uint64_t number);
  void OnPersisted(std::uint64_t number);

  bool HasCommitted(std::uint64_t applying_bytes_max) const;
  // The next committed and persisted entries that were not handed out yet.
  std::vector<Entry> TakeCommitted(std::uint64_t bytes_max, std::uint64_t applying_bytes_max);
  void OnApplied(Index index);

 private:
  struct Write {
    std::uint64_t number;
    Index last;
  };

  void TruncateFrom(Index index);
  Entry& Ref(Index index) { return entries_[index - boundary_index_ - 1]; }

  Index boundary_index_;  // of the last compacted entry; 0 with an untouched log
  Term boundary_term_;
  std::deque<Entry> entries_;  // boundary_index_ + 1 and on
  std::uint64_t bytes_ = 0;    // EncodedBytes of entries_
  Index committed_;
  Index applied_;
  Index handed_out_;  // last given out as committed
  std::uint64_t applying_bytes_ =
      0;  // of the entries in (applied_, handed_out_] that are in memory
  Index taken_;
  Index persisted_;
  std::deque<Write> writes_;  // under way, in order
};

}  // namespace etcd::raft
