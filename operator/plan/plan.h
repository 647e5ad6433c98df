#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "operator/plan/observed.h"

// The operator's decision: one step from what is observed towards what is wanted (operator-spec 8).
// Pure, and without memory: every step may be repeated after a crash, and the next decision looks
// again at everything.
namespace etcd::plan {

// Objects of Kubernetes. Creating what exists is success.
struct CreateRecord {
  Record record;
};
struct CreateVolume {
  std::string member;
};
// All at once: pods of members that have been in the cluster need no order.
struct CreatePods {
  struct One {
    std::string member;
    bool is_new_cluster = false;  // --initial-cluster-state
    std::string initial_cluster;
    bool is_guarded = false;  // only if its volume has data, though it is not known to have joined
  };
  std::vector<One> pods;
};
struct DeletePod {
  std::string member, uid;
  std::string why;
  // Only while etcd, asked once more, has no such member.
  bool must_be_absent = false;
};
struct DeleteVolume {
  std::string member, uid;
  bool must_be_absent = true;
};
struct DeleteRecord {
  std::string member;
};
// Fields of the record's status that differ from what it has.
struct UpdateRecord {
  Record record;
};
struct SetVoterRole {
  std::string member;
};
// New connections go to others before the member leaves.
struct WithdrawPod {
  std::string member;
};
struct LatchCluster {
  ClusterId cluster;
};
// Changes of etcd. Each is preceded by the linearizable list that it was decided by.
struct AddLearner {
  std::string member, peer_url;
};
struct Promote {
  std::string member;
  MemberId id;
};
struct MoveLeader {
  std::string from, to;  // the call goes to `from`
  MemberId to_id;
};
struct RemoveMember {
  MemberId id;
  std::string member;  // empty: an entry that nothing of ours belongs to
};
// Nothing to do now.
struct Wait {
  std::string reason;  // of the condition: CamelCase, stable
  std::string detail;
  std::string gate{};  // of ReplacementBlocked: the rule that is in the way (operator-spec 8.5)
};
struct Done {};

using Step = std::variant<CreateRecord, CreateVolume, CreatePods, DeletePod, DeleteVolume,
                          DeleteRecord, UpdateRecord, SetVoterRole, WithdrawPod, LatchCluster,
                          AddLearner, Promote, MoveLeader, RemoveMember, Wait, Done>;

Step Decide(const Wanted& wanted, const Observed& observed);

// Whether the step changes etcd's membership or leadership, or takes a pod away: what is fenced,
// and never done twice in one reconcile.
bool IsDisruptive(const Step& step);

// "AddLearner".
std::string_view NameOf(const Step& step);

// "c-0-3k7qa": slot, and five characters of SHA-256(uid "/" seq).
std::string MemberName(const Wanted& wanted, int slot, std::int64_t seq);
std::string PeerUrl(const Wanted& wanted, const std::string& member);

}  // namespace etcd::plan
