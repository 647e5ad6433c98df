#pragma once

#include <map>
#include <set>
#include <string>

#include "operator/plan/plan.h"

namespace etcd::plan {

// An etcd cluster and its Kubernetes objects, as far as steps touch them, with the server's own
// rules for membership changes. What must never happen is written into `faults`.
class SimEtcd {
 public:
  Wanted wanted{.cluster = "c", .uid = "uid", .peer_url_suffix = ".c-peer.n.svc:2380"};
  // Pods that do not answer at the moment.
  std::set<std::string> down;
  std::vector<std::string> faults;

  Observed Observe() const;
  // What the server refuses is left undone, as the operator would see it.
  void Run(const Step& step);
  // A step that was decided by what was so some time ago: the objects' versions and uids, and
  // etcd's own rules, let through what still fits.
  void RunLate(const Step& step, const Observed& seen);
  // A node or a user takes the pod away; its volume stays.
  void LosePod(const std::string& member) { objects_.pods.erase(member); }

  // The kubelet evicts it: the pod stays there and never runs again.
  void FinishPod(const std::string& member) {
    const auto pod = objects_.pods.find(member);
    if (pod != objects_.pods.end()) pod->second.is_finished = true;
  }
  // A user deletes the record; its finalizer keeps it until the operator lets it go.
  void DeleteRecordOf(const std::string& member);
  // A user adds a learner, or removes a member while the others keep the quorum.
  void AddForeignLearner();
  void RemoveByHand(const std::string& member);
  // The claim is deleted and the pod with it, while the other voters keep the quorum; one at a
  // time.
  void LoseVolume(const std::string& member);
  // What the API server has of a record's status is lost while others tell enough; the cluster's
  // id.
  void LoseStatus(const std::string& member);
  void LoseClusterId();
  // As `etcdctl member update`.
  void ChangePeerUrl(const std::string& member);
  // A user mends what only users mend: URLs, and the records of members that are lost for good.
  void MendByHand();
  bool is_overdue = false;      // the member on its way in
  bool seeds_start = true;      // else the pod of a new cluster is there and nothing runs in it
  bool is_foreign_old = false;  // entries that are not ours

  std::size_t voters() const;
  std::string Describe() const;  // for a person, one line for each record and member
  bool IsQuorate() const;
  const Observed& objects() const { return objects_; }

 private:
  struct Member {
    MemberId id;
    std::string name;
    bool is_learner;
    bool has_started = false;
    std::string volume{};     // uid of what it has started on
    std::string other_url{};  // given by a user
  };

  void Do(const CreateRecord& step);
  void Do(const CreateVolume& step);
  void Do(const CreatePods& step);
  void Do(const DeletePod& step);
  void Do(const DeleteVolume& step);
  void Do(const DeleteRecord& step);
  void Do(const UpdateRecord& step);
  void Do(const SetVoterRole& step);
  void Do(const WithdrawPod& step);
  void Do(const LatchCluster& step);
  void Do(const AddLearner& step);
  void Do(const Promote& step);
  void Do(const MoveLeader& step);
  void Do(const RemoveMember& step);
  void Do(const Wait&) {}
  void Do(const Done&) {}

  Record* RecordOf(const std::string& member);
  Member* MemberOf(const std::string& member);
  bool IsRunning(const std::string& member) const;
  std::size_t RunningVoters(const std::string& without = {}) const;
  bool IsLost(const std::string& member) const;
  bool IsUnchanged(const std::string& member, const Observed& seen) const;
  bool HasSamePod(const std::string& member, const Observed& seen) const;
  bool FitsObjects(const Step& step, const Observed& seen) const;
  bool FitsEtcd(const Step& step, const Observed& seen) const;
  void StartNew(const CreatePods::One& one);
  void StartExisting(const CreatePods::One& one);
  void Elect();
  void Fault(const std::string& text) { faults.push_back(text); }

  Observed objects_;                       // records, volumes and pods; the rest is made by Observe
  std::map<std::string, Member> members_;  // etcd's list
  std::string leader_;
  std::set<std::string> names_;  // ever used
  std::set<std::string> removed_by_hand_;
  std::uint64_t next_id_ = 1;
  std::uint64_t next_uid_ = 1;
  bool has_cluster_ = false;
  bool is_late_ = false;  // what runs was decided by an old observation
};

}  // namespace etcd::plan
