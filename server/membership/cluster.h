#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "server/base/mutex.h"
#include "server/membership/member.h"
#include "server/raft/types.h"
#include "server/storage/engine/kv_engine.h"

namespace etcd::membership {

// The replicated record of who belongs to the cluster: buckets members, members_removed and
// cluster. Changed on the apply thread only, into the open batch; everybody else sees the immutable
// view of the last Publish. The raft configuration is a function of it: voters are the members that
// are no learners.
class Cluster {
 public:
  static constexpr std::size_t kLearnersMaxDefault = 1;

  explicit Cluster(std::size_t learners_max = kLearnersMaxDefault) : learners_max_(learners_max) {}
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Replaces everything by what the engine holds. DataLoss for undecodable records.
  absl::Status Load(const engine::KvEngine& engine);

  // What the state says of a committed change (raft-peer-storage.md 5.6): kMemberNotFound,
  // kMemberExists, kPeerUrlExists, kTooManyLearners, kMemberNotLearner; kMemberBadUrls when the
  // context is not what etcd writes. The same on every member.
  absl::Status Validate(const raft::ConfChange& change) const;
  // A change that was found valid.
  void Apply(const raft::ConfChange& change, engine::WriteBatch& batch);

  // Name and client URLs that the member itself published. Unknown or removed members are ignored.
  void SetAttributes(MemberId id, std::string name, std::vector<std::string> client_urls,
                     engine::WriteBatch& batch);
  void SetClusterVersion(std::string_view version, engine::WriteBatch& batch);
  void SetDowngrade(const DowngradeInfo& info, engine::WriteBatch& batch);

  // Including the open batch; apply thread.
  const View& current() const { return current_; }
  raft::ConfState conf_state() const;

  // After the engine took the batch.
  void Publish();
  // Thread-safe; never null.
  ViewPtr view() const;

 private:
  absl::Status ValidateAdd(const raft::ConfChange& change) const;
  absl::Status ValidateUpdate(const raft::ConfChange& change) const;
  bool UrlInUse(const std::vector<std::string>& urls, MemberId except) const;
  void Store(const Member& member, engine::WriteBatch& batch);

  const std::size_t learners_max_;
  View current_;  // apply thread
  bool dirty_ = false;
  mutable base::Mutex mu_;
  ViewPtr published_ ABSL_GUARDED_BY(mu_) = std::make_shared<const View>();
};

// meta/confState: {"voters":[1],"learners":[2],"auto_leave":false}, empty lists left out.
std::string EncodeConfState(const raft::ConfState& state);

}  // namespace etcd::membership
