#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include "server/storage/mvcc/types.h"

namespace etcd::watch {

// The newest revisions without a hole, as many as fit a number of bytes: watchers that are a little
// behind are served from here, not from the engine. Not thread-safe.
class RecentRevisions {
 public:
  using Changes = std::shared_ptr<const mvcc::RevisionChanges>;

  explicit RecentRevisions(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // Must follow the newest one held, if there is one.
  void Push(Changes changes);
  void Clear();

  // Null when it is not held.
  const Changes* Find(Revision revision) const;
  // A change by its exact revision; null when it is not held.
  const mvcc::ChangeRecord* FindChange(mvcc::RevisionPair revision) const;

  std::size_t bytes() const { return bytes_; }
  std::size_t size() const { return revisions_.size(); }

 private:
  static std::size_t BytesOf(const mvcc::RevisionChanges& changes);

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::deque<Changes> revisions_;  // consecutive
};

}  // namespace etcd::watch
