#include "operator/worker/member_choice.h"

#include <algorithm>
#include <map>
#include <utility>

#include "operator/store/object_store.h"

namespace etcd::worker {
namespace {

bool IsCorrupt(const client::StatusResponse& status) {
  return std::any_of(status.errors.begin(), status.errors.end(), [](const std::string& error) {
    return error.find("CORRUPT") != std::string::npos;
  });
}

bool IsLeader(const Candidate& candidate) {
  return candidate.status.leader == candidate.status.header.member_id;
}

// Cluster and leader that most candidates name; leader 0 when they know none.
std::pair<ClusterId, MemberId> MajorityOf(const std::vector<Candidate>& candidates) {
  std::map<std::pair<ClusterId, MemberId>, int> votes;
  std::pair<ClusterId, MemberId> best{};
  int most = 0;
  for (const Candidate& candidate : candidates) {
    const std::pair view(candidate.status.header.cluster_id, candidate.status.leader);
    if (view.second.value() == 0) continue;
    if (++votes[view] > most) {
      most = votes[view];
      best = view;
    }
  }
  return best;
}

}  // namespace

absl::StatusOr<std::vector<Candidate>> RankMembers(std::vector<Candidate> candidates,
                                                   model::BackupSource wanted) {
  if (candidates.empty()) {
    return store::Failure(
        absl::StatusCode::kUnavailable, "NoMember",
        "no member of the cluster answers; see the conditions of its EtcdCluster");
  }
  const auto [cluster, leader] = MajorityOf(candidates);
  if (leader.value() == 0) {
    return store::Failure(
        absl::StatusCode::kUnavailable, "NoMember",
        "the cluster has no leader; a backup is taken once it has a quorum again");
  }
  std::uint64_t head = 0;  // what the leader has
  for (const Candidate& candidate : candidates) {
    if (candidate.status.header.member_id == leader) head = candidate.status.raft_index.value();
  }
  std::erase_if(candidates, [&, cluster = cluster, leader = leader](const Candidate& candidate) {
    const client::StatusResponse& status = candidate.status;
    const bool is_behind = status.raft_applied_index.value() + kLagMax < head;
    return status.header.cluster_id != cluster || status.leader != leader || status.is_learner ||
           IsCorrupt(status) || (is_behind && !IsLeader(candidate));
  });
  if (candidates.empty()) {
    return store::Failure(absl::StatusCode::kUnavailable, "NoMember",
                          "no member is fit for a backup: they lag behind or have a CORRUPT alarm");
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Candidate& a, const Candidate& b) {
                     if (wanted != model::BackupSource::kAny && IsLeader(a) != IsLeader(b)) {
                       return IsLeader(a) == (wanted == model::BackupSource::kLeader);
                     }
                     return a.status.raft_applied_index > b.status.raft_applied_index;
                   });
  return candidates;
}

}  // namespace etcd::worker
