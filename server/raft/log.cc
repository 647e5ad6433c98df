#include "server/raft/log.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "server/base/check.h"

namespace etcd::raft {
namespace {

std::uint64_t VarintBytes(std::uint64_t value) {
  return (static_cast<std::uint64_t>(std::bit_width(value | 1)) + 6) / 7;
}

}  // namespace

// Tag and one byte of type, tag and varint of term and index, tag, length and bytes of data.
std::uint64_t EncodedBytes(const Entry& entry) {
  std::uint64_t bytes = 4 + VarintBytes(entry.term.value()) + VarintBytes(entry.index.value());
  const std::uint64_t data = entry.data.size();
  if (data != 0) bytes += 1 + VarintBytes(data) + data;
  return bytes;
}

Log::Log(const SnapshotMetadata& boundary, std::vector<Entry> entries, Index committed,
         Index applied)
    : boundary_index_(boundary.index),
      boundary_term_(boundary.term),
      committed_(committed),
      applied_(applied),
      handed_out_(applied) {
  Index next = boundary_index_ + 1;
  for (Entry& entry : entries) {
    CHECK(entry.index == next) << "log has a gap: entry " << entry.index << " where " << next
                               << " is due";
    bytes_ += EncodedBytes(entry);
    entries_.push_back(std::move(entry));
    ++next;
  }
  taken_ = persisted_ = last_index();
  CHECK(boundary_index_ <= applied_ && applied_ <= committed_ && committed_ <= last_index())
      << "snapshot " << boundary_index_ << ", applied " << applied_ << ", commit " << committed_
      << ", last " << last_index() << " are out of order";
}

Term Log::term_at(Index index) const {
  if (index == boundary_index_) return boundary_term_;
  if (!Knows(index)) return Term();
  return at(index).term;
}

bool Log::IsUpToDate(Index index, Term term) const {
  const Term own = last_term();
  return term > own || (term == own && index >= last_index());
}

std::pair<Index, Term> Log::FindConflictByTerm(Index index, Term term) const {
  index = std::min(index, last_index());
  while (index > boundary_index_ && at(index).term > term) index = index - 1;
  if (index < boundary_index_) return {index, Term()};
  if (term_at(index) <= term) return {index, term_at(index)};
  return {index - 1, Term()};  // compacted: nothing is known of it
}

const Entry& Log::at(Index index) const {
  CHECK(index > boundary_index_ && index <= last_index())
      << "entry " << index << " is not in [" << first_index() << ", " << last_index() << "]";
  return entries_[index - boundary_index_ - 1];
}

std::vector<Entry> Log::From(Index from, std::uint64_t bytes_max) const {
  CHECK(from > boundary_index_) << "entry " << from << " is compacted";
  std::vector<Entry> out;
  std::uint64_t bytes = 0;
  for (Index i = from; i <= last_index(); ++i) {
    const Entry& entry = at(i);
    bytes += EncodedBytes(entry);
    if (!out.empty() && bytes > bytes_max) break;
    out.push_back(entry);
  }
  return out;
}

bool Log::HasUnappliedConfChange() const {
  for (Index i = applied_ + 1; i <= committed_; ++i) {
    if (i > boundary_index_ && at(i).type != EntryType::kNormal) return true;
  }
  return false;
}

void Log::Append(Term term, EntryType type, Payload data) {
  Entry& entry = entries_.emplace_back(Entry{term, last_index() + 1, type, std::move(data)});
  bytes_ += EncodedBytes(entry);
}

Index Log::Merge(Index prev_index, std::vector<Entry> entries) {
  const Index last_new = prev_index + entries.size();
  for (Entry& entry : entries) {
    if (entry.index <= boundary_index_ || Matches(entry.index, entry.term)) continue;
    if (entry.index <= last_index()) TruncateFrom(entry.index);
    CHECK(entry.index == last_index() + 1)
        << "entry " << entry.index << " leaves a gap after " << last_index();
    bytes_ += EncodedBytes(entry);
    entries_.push_back(std::move(entry));
  }
  return last_new;
}

// Every truncated entry was one that no quorum has (paper 5.3), so none may be committed.
void Log::TruncateFrom(Index index) {
  CHECK(index > committed_) << "entry " << index << " conflicts with committed " << committed_;
  while (last_index() >= index) {
    bytes_ -= EncodedBytes(entries_.back());
    entries_.pop_back();
  }
  const Index last = last_index();
  taken_ = std::min(taken_, last);
  persisted_ = std::min(persisted_, last);
  for (Write& write : writes_) write.last = std::min(write.last, last);
}

void Log::CommitTo(Index index) {
  if (index <= committed_) return;
  CHECK(index <= last_index()) << "commit " << index << " is beyond the last entry " << last_index()
                               << ": has this member lost entries?";
  committed_ = index;
}

void Log::Restore(const SnapshotMetadata& snapshot) {
  CHECK(snapshot.index > committed_)
      << "snapshot " << snapshot.index << " is not ahead of commit " << committed_;
  entries_.clear();
  bytes_ = 0;
  boundary_index_ = snapshot.index;
  boundary_term_ = snapshot.term;
  committed_ = handed_out_ = taken_ = snapshot.index;
  applying_bytes_ = 0;
  persisted_ = Index();  // until the write that carries the snapshot is reported
  for (Write& write : writes_) write.last = Index();
}

void Log::Compact(Index index) {
  CHECK(index <= applied_) << "compaction at " << index << " is ahead of applied " << applied_;
  if (index <= boundary_index_) return;
  boundary_term_ = term_at(index);
  while (boundary_index_ < index) {
    bytes_ -= EncodedBytes(entries_.front());
    entries_.pop_front();
    ++boundary_index_;
  }
}

std::vector<Entry> Log::TakeUnwritten(std::uint64_t number) {
  std::vector<Entry> out;
  const Index last = last_index();
  out.reserve(last - taken_);
  for (Index i = taken_ + 1; i <= last; ++i) out.push_back(at(i));
  taken_ = last;
  if (writes_.empty() ? persisted_ < last : writes_.back().last != last) {
    writes_.push_back({number, last});
  }
  return out;
}

void Log::OnPersisted(std::uint64_t number) {
  while (!writes_.empty() && writes_.front().number <= number) {
    persisted_ = std::max(persisted_, writes_.front().last);
    writes_.pop_front();
  }
}

bool Log::HasCommitted(std::uint64_t applying_bytes_max) const {
  return handed_out_ < std::min(committed_, persisted_) && applying_bytes_ < applying_bytes_max;
}

std::vector<Entry> Log::TakeCommitted(std::uint64_t bytes_max, std::uint64_t applying_bytes_max) {
  std::vector<Entry> out;
  if (!HasCommitted(applying_bytes_max)) return out;
  const Index end = std::min(committed_, persisted_);
  std::uint64_t bytes = 0;
  for (Index i = handed_out_ + 1; i <= end; ++i) {
    const std::uint64_t size = EncodedBytes(at(i));
    if (!out.empty() && bytes + size > bytes_max) break;
    bytes += size;
    out.push_back(at(i));
  }
  handed_out_ = out.back().index;
  applying_bytes_ += bytes;
  return out;
}

void Log::OnApplied(Index index) {
  CHECK(index <= handed_out_) << "applied " << index << " was not handed out (up to " << handed_out_
                              << ")";
  if (index <= applied_) return;
  for (Index i = std::max(applied_, boundary_index_) + 1; i <= index; ++i) {
    applying_bytes_ -= EncodedBytes(at(i));
  }
  applied_ = index;
}

}  // namespace etcd::raft
