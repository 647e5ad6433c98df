#include "operator/kube/work_queue.h"

#include <pthread.h>
#include <utility>

#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::kube {

WorkQueue::WorkQueue(const base::Clock& clock, std::uint64_t seed, QueueCore::Options options)
    : clock_(clock), core_(options, seed) {}

WorkQueue::~WorkQueue() { Stop(); }

void WorkQueue::Add(const WorkKey& key) {
  Changed([&](QueueCore& core) { core.Add(key, clock_.Now()); });
}

void WorkQueue::AddAfter(const WorkKey& key, std::chrono::nanoseconds delay) {
  Changed([&](QueueCore& core) { core.AddAfter(key, clock_.Now(), delay); });
}

template <class Change>
void WorkQueue::Changed(const Change& change) {
  {
    const std::lock_guard lock(mu_);
    change(core_);
    ++changes_;
  }
  changed_.notify_one();
}

void WorkQueue::Start(int workers, Work work) {
  work_ = std::move(work);
  for (int i = 0; i < workers; ++i) {
    workers_.emplace_back([this](const std::stop_token& stop) { Run(stop); });
    pthread_setname_np(workers_.back().native_handle(), "reconcile");
  }
}

void WorkQueue::Stop() {
  for (std::jthread& worker : workers_) worker.request_stop();
  workers_.clear();  // joins
}

QueueCore::Stats WorkQueue::stats() const {
  const std::lock_guard lock(mu_);
  return core_.GetStats(clock_.Now());
}

std::optional<WorkKey> WorkQueue::Next(const std::stop_token& stop) {
  std::unique_lock lock(mu_);
  while (!stop.stop_requested()) {
    const std::optional<WorkKey> key = core_.Take(clock_.Now());
    const std::optional<QueueCore::Time> due = core_.NextDue();
    if (key.has_value()) {
      // This worker was perhaps the only one that knew when the next key is due.
      if (due.has_value()) {
        ++changes_;
        changed_.notify_one();
      }
      return key;
    }
    const auto has_changed = [this, seen = changes_] { return changes_ != seen; };
    if (due.has_value()) {
      changed_.wait_until(lock, stop, *due, has_changed);
    } else {
      changed_.wait(lock, stop, has_changed);
    }
  }
  return std::nullopt;
}

WorkQueue::Result WorkQueue::Guarded(const WorkKey& key, const std::stop_token& stop) {
  // The one place that catches: a defect in the handling of one object must not end the work on all
  // others (operator-spec 6.3).
  try {
    return work_(key, stop);
  } catch (const std::exception& error) {
    return {absl::InternalError(error.what()), std::nullopt};
  }
}

void WorkQueue::Run(const std::stop_token& stop) noexcept {
  while (std::optional<WorkKey> key = Next(stop)) {
    const Result result = Guarded(*key, stop);
    if (!result.status.ok()) {
      LOG_WARN("reconcile failed", {"kind", key->kind}, {"namespace", key->ns}, {"name", key->name},
               {"error", result.status});
    }
    Changed([&](QueueCore& core) {
      if (result.status.ok()) {
        core.Done(*key, clock_.Now(), result.again_after);
      } else {
        core.Failed(*key, clock_.Now());
      }
    });
  }
}

}  // namespace etcd::kube
