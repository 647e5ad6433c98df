#include "server/api/v3/leader_guard.h"

#include <utility>

#include "server/base/errc.h"

namespace etcd::api::v3 {

void LeaderGuard::Add(base::StreamSinkPtr sink) {
  bool start = false;
  {
    const base::MutexLock lock(mu_);
    sinks_.push_back(sink);
    start = !std::exchange(scheduled_, true);
    if (start) checks_without_leader_ = 0;
  }
  if (start) ScheduleCheck();
}

void LeaderGuard::ScheduleCheck() {
  executor_.PostAfter(election_timeout_, [weak = weak_from_this()] {
    if (const auto guard = weak.lock()) guard->Check();
  });
}

void LeaderGuard::Check() {
  const bool has_leader = static_cast<bool>(node_.status().leader);
  std::vector<std::weak_ptr<base::StreamSink>> lost;
  {
    const base::MutexLock lock(mu_);
    std::erase_if(sinks_, [](const auto& sink) { return sink.expired(); });
    checks_without_leader_ = has_leader ? 0 : checks_without_leader_ + 1;
    if (checks_without_leader_ >= kChecksWithoutLeader) lost.swap(sinks_);
    scheduled_ = !sinks_.empty();
    if (scheduled_) ScheduleCheck();
  }
  for (const auto& weak : lost) {
    if (const auto sink = weak.lock()) sink->Finish(Error(Errc::kNoLeader));
  }
}

}  // namespace etcd::api::v3
