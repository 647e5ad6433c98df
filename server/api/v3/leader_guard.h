#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "server/base/call.h"
#include "server/base/executor.h"
#include "server/base/mutex.h"
#include "server/node/node.h"

namespace etcd::api::v3 {

// Ends the streams that asked for a leader (metadata hasleader) once the member has seen none on
// three checks in a row, one per election timeout. Thread-safe. Checks run on `executor` and stop
// with the last reference to the guard.
class LeaderGuard : public std::enable_shared_from_this<LeaderGuard> {
 public:
  LeaderGuard(node::Node& node, base::Executor& executor, std::chrono::nanoseconds election_timeout)
      : node_(node), executor_(executor), election_timeout_(election_timeout) {}

  void Add(base::StreamSinkPtr sink);

 private:
  static constexpr int kChecksWithoutLeader = 3;

  void ScheduleCheck();
  void Check();

  node::Node& node_;
  base::Executor& executor_;
  const std::chrono::nanoseconds election_timeout_;
  base::Mutex mu_;
  std::vector<std::weak_ptr<base::StreamSink>> sinks_ ABSL_GUARDED_BY(mu_);
  bool scheduled_ ABSL_GUARDED_BY(mu_) = false;  // checks run only while there are streams
  int checks_without_leader_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace etcd::api::v3
