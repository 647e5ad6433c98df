#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "server/base/mutex.h"
#include "server/node/node.h"

namespace etcd::node {

// Compactions that are carried out and wait for their physical deletion before they are answered.
// Bounded by the requests that the transport admits. Thread-safe; whoever takes an answer out gives
// it, outside of the lock.
class DeletionWaits : public std::enable_shared_from_this<DeletionWaits> {
 public:
  // What the store calls when the deletion is done. Keeps the answer here, so that it is given
  // exactly once even when the store stops first and drops the call.
  absl::AnyInvocable<void()> Add(ProposeDone done, apply::Result result) {
    const base::MutexLock lock(mu_);
    waiting_.try_emplace(++last_, std::move(done), std::move(result));
    return [self = shared_from_this(), number = last_] { self->Finish(number); };
  }

  // Once the store calls nobody any more.
  void FailAll(const absl::Status& status) {
    Waiting failed;
    {
      const base::MutexLock lock(mu_);
      failed.swap(waiting_);
    }
    for (auto& [number, wait] : failed) wait.first({status, {}, Revision(), Index()});
  }

 private:
  using Waiting = std::map<std::uint64_t, std::pair<ProposeDone, apply::Result>>;

  void Finish(std::uint64_t number) {
    Waiting::node_type finished;
    {
      const base::MutexLock lock(mu_);
      finished = waiting_.extract(number);
    }
    if (finished) finished.mapped().first(std::move(finished.mapped().second));
  }

  base::Mutex mu_;
  Waiting waiting_ ABSL_GUARDED_BY(mu_);  // in the order in which they were applied
  std::uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace etcd::node
