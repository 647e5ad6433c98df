#include "server/storage/mvcc/read_pins.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace etcd::mvcc {

struct ReadPins::Registry {
  base::Mutex mu;
  std::multiset<std::int64_t> pinned ABSL_GUARDED_BY(mu);
  // Readers at the head share one hold as long as one of them lives.
  std::weak_ptr<const Hold> latest ABSL_GUARDED_BY(mu);
  std::int64_t latest_revision ABSL_GUARDED_BY(mu) = 0;
};

// Owned by the copies of one pin.
struct ReadPins::Hold {
  std::shared_ptr<Registry> registry;
  std::multiset<std::int64_t>::iterator entry;

  ~Hold() {
    const base::MutexLock lock(registry->mu);
    registry->pinned.erase(entry);
  }
};

ReadPins::ReadPins() : registry_(std::make_shared<Registry>()) {}

std::optional<ReadPin> ReadPins::Pin(Revision revision) const {
  std::shared_ptr<const Hold> hold;
  {
    const base::MutexLock lock(registry_->mu);
    if (revision < compact_revision()) return std::nullopt;
    if (registry_->latest_revision == revision.value()) hold = registry_->latest.lock();
    if (hold == nullptr) {
      const auto entry = registry_->pinned.insert(revision.value());
      hold = std::shared_ptr<const Hold>(new Hold{registry_, entry});
      registry_->latest = hold;
      registry_->latest_revision = revision.value();
    }
  }
  return ReadPin(std::move(hold));
}

void ReadPins::SetCompactRevision(Revision revision) {
  const base::MutexLock lock(registry_->mu);
  compact_revision_.store(revision.value());
}

std::size_t ReadPins::size() const {
  const base::MutexLock lock(registry_->mu);
  return registry_->pinned.size();
}

Revision ReadPins::OldestUpTo(Revision limit) const {
  const base::MutexLock lock(registry_->mu);
  if (registry_->pinned.empty()) return limit;
  return std::min(limit, Revision(*registry_->pinned.begin()));
}

}  // namespace etcd::mvcc
