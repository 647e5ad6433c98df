#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <absl/status/status.h>

#include "operator/kube/queue_core.h"

namespace etcd::kube {

// QueueCore with its workers: threads that take a key, work on it, and say when it is due again.
class WorkQueue {
 public:
  struct Result {
    absl::Status status;  // an error: again after the failure delay
    std::optional<std::chrono::nanoseconds> again_after;
  };
  // Runs on a worker; never for the same key twice at the same time. Should look at `stop` before
  // each step.
  using Work = std::function<Result(const WorkKey& key, const std::stop_token& stop)>;

  // The clock must be real: workers sleep by it.
  WorkQueue(const base::Clock& clock, std::uint64_t seed, QueueCore::Options options = {});
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  void Add(const WorkKey& key);
  void AddAfter(const WorkKey& key, std::chrono::nanoseconds delay);

  void Start(int workers, Work work);
  // Takes nothing new and waits for the work that is running. Idempotent.
  void Stop();

  QueueCore::Stats stats() const;

 private:
  void Run(const std::stop_token& stop) noexcept;
  std::optional<WorkKey> Next(const std::stop_token& stop);
  template <class Change>
  void Changed(const Change& change);
  Result Guarded(const WorkKey& key, const std::stop_token& stop);

  const base::Clock& clock_;
  Work work_;  // set before the workers start
  mutable std::mutex mu_;
  std::condition_variable_any changed_;
  QueueCore core_;             // guarded by mu_
  std::uint64_t changes_ = 0;  // of core_, so that a waiting worker looks again; guarded by mu_
  std::vector<std::jthread> workers_;
};

}  // namespace etcd::kube
