#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "server/apply/alarms.h"
#include "server/apply/quota.h"
#include "server/base/mutex.h"
#include "server/lease/lessor.h"
#include "server/membership/cluster.h"
#include "server/node/member.h"
#include "server/node/versions.h"
#include "server/node/waiters.h"
#include "server/storage/mvcc/replaceable_store.h"

namespace etcd::node {

// What the parts of one member have in common: its identity, the replicated state, and the figures
// that any thread may read.
struct Shared {
  Shared(MemberOptions o, MemberPorts p)
      : options(std::move(o)),
        ports(std::move(p)),
        cluster(options.learners_max),
        quota(options.quota_bytes) {}

  // The member must not go on: acknowledges nothing from here on.
  void Halt(std::string_view message, const absl::Status& status);
  bool halted() const { return is_halted.load(std::memory_order_acquire); }

  MemberOptions options;
  MemberPorts ports;
  MemberId id;
  ClusterId cluster_id;

  // The replicated state; written by the apply thread.
  std::unique_ptr<mvcc::ReplaceableStore> store;
  std::unique_ptr<lease::Lessor> lessor;
  membership::Cluster cluster;
  apply::AlarmStore alarms;
  apply::Quota quota;

  WaiterTable waiters;

  // Raft thread only: what the leader heard in its last round of questions that everybody answered,
  // since it leads and since the membership changed (VersionDuty).
  std::optional<VersionSpan> heard_versions;

  // Written by the raft thread.
  std::atomic<std::uint64_t> term{0};
  std::atomic<std::uint64_t> committed{0};
  std::atomic<std::uint64_t> leader{0};  // 0: unknown
  std::atomic<bool> is_learner{false};
  // This member is the only one, leads, and has applied all that it did not commit alone: whatever
  // it or anybody acknowledged before is applied and published here (see ReadQueue).
  std::atomic<bool> is_lone_leader{false};
  std::atomic<bool> log_is_full{false};  // no room for the next WAL segment
  // Bytes of proposals that no log has taken yet; see MemberOptions::queued_bytes_max.
  std::atomic<std::uint64_t> queued_bytes{0};
  // Written by the apply thread, after Publish.
  std::atomic<std::uint64_t> applied{0};

  std::atomic<bool> is_halted{false};
  std::atomic<bool> is_stopping{false};
};

}  // namespace etcd::node
