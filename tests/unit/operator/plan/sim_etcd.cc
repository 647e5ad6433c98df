#include "sim_etcd.h"

#include <algorithm>

#include <fmt/format.h>

namespace etcd::plan {
namespace {

constexpr ClusterId kCluster{77};

}  // namespace

bool SimEtcd::IsRunning(const std::string& member) const {
  const auto pod = objects_.pods.find(member);
  return pod != objects_.pods.end() && !pod->second.is_finished && !down.contains(member);
}

std::size_t SimEtcd::voters() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(members_, [](const auto& entry) { return !entry.second.is_learner; }));
}

std::size_t SimEtcd::RunningVoters(const std::string& without) const {
  return static_cast<std::size_t>(std::ranges::count_if(members_, [&](const auto& entry) {
    return !entry.second.is_learner && entry.second.has_started && entry.first != without &&
           IsRunning(entry.first);
  }));
}

bool SimEtcd::IsQuorate() const { return has_cluster_ && RunningVoters() >= voters() / 2 + 1; }

void SimEtcd::Elect() {
  if (!IsQuorate()) {
    leader_.clear();
    return;
  }
  const Member* now = MemberOf(leader_);
  if (now != nullptr && IsRunning(leader_) && !now->is_learner) return;
  for (const auto& [name, member] : members_) {
    if (!member.is_learner && member.has_started && IsRunning(name)) leader_ = name;
  }
}

Observed SimEtcd::Observe() const {
  SimEtcd now = *this;
  now.Elect();
  Observed observed = objects_;
  observed.is_settled = true;
  observed.is_leaver_drained = true;
  observed.is_addition_overdue = is_overdue;
  observed.are_foreign_entries_old = is_foreign_old;
  const MemberId leader = now.leader_.empty() ? MemberId{} : members_.at(now.leader_).id;
  for (const auto& [name, member] : members_) {
    if (!member.has_started || !IsRunning(name)) continue;
    observed.health[name] = {.cluster = kCluster,
                             .id = member.id,
                             .leader = leader,
                             .is_learner = member.is_learner,
                             .raft_index = 100,
                             .applied_index = 100};
  }
  if (!IsQuorate()) return observed;
  observed.members.emplace();
  for (const auto& [name, member] : members_) {
    observed.members->push_back({.id = member.id,
                                 .name = member.has_started ? name : std::string(),
                                 .peer_url = PeerUrl(wanted, name),
                                 .is_learner = member.is_learner});
  }
  return observed;
}

void SimEtcd::Run(const Step& step) {
  Elect();
  std::visit([this](const auto& one) { Do(one); }, step);
  Elect();
}

void SimEtcd::DeleteRecordOf(const std::string& member) {
  if (Record* record = RecordOf(member)) record->is_unwanted = true;
}

void SimEtcd::AddForeignLearner() {
  for (const auto& [name, member] : members_) {
    if (member.is_learner) return;
  }
  const bool is_latched = objects_.cluster != ClusterId{};
  if (!is_latched || !IsQuorate() || RunningVoters() < voters()) return;
  const std::string name = fmt::format("foreign-{}", next_id_);
  members_[name] = {MemberId(next_id_++), name, true};
}

void SimEtcd::RemoveByHand(const std::string& member) {
  const Member* found = MemberOf(member);
  if (found == nullptr || !IsQuorate()) return;
  const bool is_safe = voters() > 1 && RunningVoters(member) >= (voters() - 1) / 2 + 1;
  if (!found->is_learner && !is_safe) return;
  members_.erase(member);
  removed_by_hand_.insert(member);
}

Record* SimEtcd::RecordOf(const std::string& member) {
  const auto found = std::ranges::find(objects_.records, member, &Record::name);
  return found == objects_.records.end() ? nullptr : &*found;
}

SimEtcd::Member* SimEtcd::MemberOf(const std::string& member) {
  const auto found = members_.find(member);
  return found == members_.end() ? nullptr : &found->second;
}

void SimEtcd::Do(const CreateRecord& step) {
  if (!names_.insert(step.record.name).second) Fault("name used again: " + step.record.name);
  objects_.records.push_back(step.record);
  objects_.last_seq = std::max(objects_.last_seq, step.record.seq);
}

void SimEtcd::Do(const CreateVolume& step) {
  objects_.volumes[step.member] = {fmt::format("v{}", next_uid_++)};
}

void SimEtcd::Do(const CreatePods& step) {
  for (const CreatePods::One& one : step.pods) {
    objects_.pods[one.member] = {.uid = fmt::format("p{}", next_uid_++),
                                 .initial_cluster = one.initial_cluster};
    if (!objects_.volumes.contains(one.member)) Fault("pod without a volume: " + one.member);
    if (one.is_new_cluster && !seeds_start) continue;
    if (one.is_new_cluster) {
      if (has_cluster_ && !members_.contains(one.member)) Fault("a second cluster");
      if (!has_cluster_) members_[one.member] = {MemberId(next_id_++), one.member, false, true};
      has_cluster_ = true;
      continue;
    }
    Member* member = MemberOf(one.member);
    if (member == nullptr) {
      // It was removed and the operator does not know yet: the server stops by itself.
      const bool may_be =
          RecordOf(one.member)->phase == Phase::kRemoving || removed_by_hand_.contains(one.member);
      if (!may_be) Fault("pod of no member: " + one.member);
    } else {
      if (!member->has_started && one.initial_cluster.find(one.member + "=") == std::string::npos) {
        Fault("a first start without itself in the initial cluster");
      }
      member->has_started = true;
    }
  }
}

void SimEtcd::Do(const DeletePod& step) {
  const auto member = members_.find(step.member);
  // One that was never seen in the cluster may be made anew: nothing rests on it.
  const Record* record = RecordOf(step.member);
  const bool is_running = member != members_.end() && record != nullptr && record->has_joined &&
                          !objects_.pods[step.member].is_finished;
  if (is_running) Fault("pod of a running member deleted: " + step.member);
  objects_.pods.erase(step.member);
}

void SimEtcd::Do(const DeleteVolume& step) {
  const Record* record = RecordOf(step.member);
  const bool was_used = record == nullptr || record->has_joined || objects_.cluster != ClusterId{};
  if (members_.contains(step.member) && !was_used && !objects_.pods.contains(step.member)) {
    // A seed that had begun unseen: no client was ever sent to it.
    members_.erase(step.member);
    has_cluster_ = false;
  }
  if (members_.contains(step.member)) Fault("volume of a listed member deleted: " + step.member);
  objects_.volumes.erase(step.member);
}

void SimEtcd::Do(const DeleteRecord& step) {
  std::erase_if(objects_.records, [&](const Record& record) { return record.name == step.member; });
}

void SimEtcd::Do(const UpdateRecord& step) {
  if (Record* record = RecordOf(step.record.name)) *record = step.record;
}

void SimEtcd::Do(const SetVoterRole& step) {
  const Member* member = MemberOf(step.member);
  if (member == nullptr || member->is_learner) Fault("clients sent to no voter: " + step.member);
  if (objects_.pods.contains(step.member)) objects_.pods[step.member].has_voter_role = true;
}

void SimEtcd::Do(const WithdrawPod& step) {
  if (objects_.pods.contains(step.member)) objects_.pods[step.member].has_voter_role = false;
}

void SimEtcd::Do(const LatchCluster& step) { objects_.cluster = step.cluster; }

void SimEtcd::Do(const AddLearner& step) {
  const bool is_refused =
      !IsQuorate() || RunningVoters() < voters() || members_.contains(step.member);
  if (is_refused) return;
  for (const auto& [name, member] : members_) {
    if (member.is_learner) Fault("two learners");
  }
  members_[step.member] = {MemberId(next_id_++), step.member, true};
}

void SimEtcd::Do(const Promote& step) {
  Member* member = MemberOf(step.member);
  if (member == nullptr || !IsQuorate() || !member->has_started || !IsRunning(step.member)) return;
  member->is_learner = false;
}

void SimEtcd::Do(const MoveLeader& step) {
  if (leader_ == step.from && IsRunning(step.to)) leader_ = step.to;
}

void SimEtcd::Do(const RemoveMember& step) {
  const auto found =
      std::ranges::find_if(members_, [&](const auto& entry) { return entry.second.id == step.id; });
  if (found == members_.end() || !IsQuorate()) return;
  const std::string name = found->first;
  const auto pod = objects_.pods.find(name);
  if (pod != objects_.pods.end() && pod->second.has_voter_role) {
    Fault("clients are sent to a member that leaves: " + name);
  }
  if (!found->second.is_learner) {
    if (RunningVoters(name) < (voters() - 1) / 2 + 1) Fault("removal below the quorum: " + name);
    if (leader_ == name && voters() > 1) Fault("the leader was removed: " + name);
  }
  members_.erase(found);
}

}  // namespace etcd::plan
