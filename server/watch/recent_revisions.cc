#include "server/watch/recent_revisions.h"

#include <utility>

#include "server/base/check.h"

namespace etcd::watch {

std::size_t RecentRevisions::BytesOf(const mvcc::RevisionChanges& changes) {
  std::size_t bytes = sizeof(mvcc::RevisionChanges);
  for (const auto& change : changes.changes) {
    bytes += sizeof(mvcc::ChangeRecord) + change.stored.bytes.size();
  }
  return bytes;
}

void RecentRevisions::Push(Changes changes) {
  CHECK(revisions_.empty() || revisions_.back()->revision + 1 == changes->revision)
      << "hole before revision " << changes->revision;
  bytes_ += BytesOf(*changes);
  revisions_.push_back(std::move(changes));
  while (bytes_ > bytes_max_) {
    bytes_ -= BytesOf(*revisions_.front());
    revisions_.pop_front();
  }
}

void RecentRevisions::Clear() {
  revisions_.clear();
  bytes_ = 0;
}

const RecentRevisions::Changes* RecentRevisions::Find(Revision revision) const {
  if (revisions_.empty() || revision < revisions_.front()->revision ||
      revision > revisions_.back()->revision) {
    return nullptr;
  }
  return &revisions_[static_cast<std::size_t>(revision - revisions_.front()->revision)];
}

const mvcc::ChangeRecord* RecentRevisions::FindChange(mvcc::RevisionPair revision) const {
  const Changes* changes = Find(revision.main);
  if (changes == nullptr) return nullptr;
  for (const auto& change : (*changes)->changes) {
    if (change.revision == revision) return &change;
  }
  return nullptr;
}

}  // namespace etcd::watch
