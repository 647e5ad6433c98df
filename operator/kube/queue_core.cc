#include "operator/kube/queue_core.h"

#include <algorithm>

#include "server/base/check.h"

namespace etcd::kube {

void QueueCore::Add(const WorkKey& key, Time now) {
  ++adds_;
  if (!dirty_.insert(key).second) return;
  if (!processing_.contains(key)) ready_.emplace_back(key, now);
}

void QueueCore::AddAfter(const WorkKey& key, Time now, std::chrono::nanoseconds delay) {
  if (delay.count() <= 0) return Add(key, now);
  const Time due = now + delay;
  const auto [at, is_new] = delayed_.try_emplace(key, due);
  if (!is_new) {
    if (at->second <= due) return;
    by_due_.erase({at->second, key});
    at->second = due;
  }
  by_due_.emplace(due, key);
}

void QueueCore::MoveDue(Time now) {
  while (!by_due_.empty() && by_due_.begin()->first <= now) {
    const WorkKey key = by_due_.begin()->second;
    by_due_.erase(by_due_.begin());
    delayed_.erase(key);
    Add(key, now);
  }
}

std::optional<WorkKey> QueueCore::Take(Time now) {
  MoveDue(now);
  if (ready_.empty()) return std::nullopt;
  WorkKey key = std::move(ready_.front().first);
  ready_.pop_front();
  dirty_.erase(key);
  processing_.insert(key);
  // Whoever works on it now says when it is due again.
  if (const auto delayed = delayed_.find(key); delayed != delayed_.end()) {
    by_due_.erase({delayed->second, key});
    delayed_.erase(delayed);
  }
  return key;
}

std::optional<QueueCore::Time> QueueCore::NextDue() const {
  if (by_due_.empty()) return std::nullopt;
  return by_due_.begin()->first;
}

void QueueCore::Release(const WorkKey& key, Time now) {
  CHECK(processing_.erase(key) == 1) << "the end of work that had not begun: " << key.name;
  if (dirty_.contains(key)) ready_.emplace_back(key, now);
}

void QueueCore::Done(const WorkKey& key, Time now,
                     std::optional<std::chrono::nanoseconds> again_after) {
  Release(key, now);
  failures_.erase(key);
  if (again_after.has_value()) AddAfter(key, now, *again_after);
}

void QueueCore::Failed(const WorkKey& key, Time now) {
  Release(key, now);
  ++retries_;
  const int before = failures_[key]++;
  std::chrono::nanoseconds bound = options_.first_failure;
  for (int i = 0; i < before && bound < options_.failure_cap; ++i) bound *= 2;
  AddAfter(key, now, UpTo(std::min(bound, options_.failure_cap), random_));
}

QueueCore::Stats QueueCore::GetStats(Time now) const {
  Stats stats;
  stats.depth = ready_.size();
  stats.delayed = delayed_.size();
  stats.processing = processing_.size();
  stats.adds = adds_;
  stats.retries = retries_;
  if (!ready_.empty()) stats.oldest = now - ready_.front().second;
  return stats;
}

}  // namespace etcd::kube
