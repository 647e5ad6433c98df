#include "server/node/waiters.h"

#include <algorithm>
#include <utility>

#include "server/base/check.h"

namespace etcd::node {
namespace {

void SortById(std::vector<Waiter>& waiters) {
  std::sort(waiters.begin(), waiters.end(),
            [](const Waiter& a, const Waiter& b) { return a.id < b.id; });
}

}  // namespace

void WaiterTable::AddAll(std::vector<Waiter> waiters) {
  const base::MutexLock lock(mu_);
  for (Waiter& waiter : waiters) {
    const RequestId id = waiter.id;
    const bool is_new = waiting_.emplace(id, std::move(waiter)).second;
    CHECK(is_new) << "two proposals with the id " << id;
  }
}

std::vector<Waiter> WaiterTable::TakeAll(std::span<const RequestId> ids) {
  std::vector<Waiter> taken(ids.size());
  const base::MutexLock lock(mu_);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto it = waiting_.find(ids[i]);
    if (it == waiting_.end()) continue;
    taken[i] = std::move(it->second);
    waiting_.erase(it);
  }
  return taken;
}

Waiter WaiterTable::Take(RequestId id) { return std::move(TakeAll(std::span(&id, 1)).front()); }

void WaiterTable::Doubt(Term term, base::Clock::Monotonic deadline) {
  const base::MutexLock lock(mu_);
  for (auto& [id, waiter] : waiting_) {
    if (waiter.term >= term || waiter.deadline <= deadline) continue;
    waiter.deadline = deadline;
    waiter.is_doubtful = true;
  }
}

std::vector<Waiter> WaiterTable::TakeExpired(base::Clock::Monotonic now) {
  std::vector<Waiter> expired;
  {
    const base::MutexLock lock(mu_);
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (it->second.deadline > now) {
        ++it;
        continue;
      }
      expired.push_back(std::move(it->second));
      waiting_.erase(it++);
    }
  }
  SortById(expired);
  return expired;
}

std::vector<Waiter> WaiterTable::TakeEverything() {
  std::vector<Waiter> all;
  {
    const base::MutexLock lock(mu_);
    for (auto& [id, waiter] : waiting_) all.push_back(std::move(waiter));
    waiting_.clear();
  }
  SortById(all);
  return all;
}

std::size_t WaiterTable::size() const {
  const base::MutexLock lock(mu_);
  return waiting_.size();
}

}  // namespace etcd::node
