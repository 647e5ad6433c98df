#include "sim_etcd.h"

#include <algorithm>

#include <fmt/format.h>

namespace etcd::plan {
namespace {

constexpr ClusterId kCluster{77};

}  // namespace

bool SimEtcd::IsRunning(const std::string& member) const {
  const auto pod = objects_.pods.find(member);
  if (pod == objects_.pods.end() || pod->second.is_finished || down.contains(member)) return false;
  return !IsLost(member);
}

// It has started, on a volume that is there no more.
bool SimEtcd::IsLost(const std::string& member) const {
  const auto found = members_.find(member);
  if (found == members_.end() || !found->second.has_started) return false;
  const auto volume = objects_.volumes.find(member);
  return volume == objects_.volumes.end() || volume->second.uid != found->second.volume;
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
    observed.members->push_back(
        {.id = member.id,
         .name = member.has_started ? name : std::string(),
         .peer_urls = {member.other_url.empty() ? PeerUrl(wanted, name) : member.other_url},
         .is_learner = member.is_learner});
    if (is_foreign_old) observed.old_foreign_entries.insert(member.id);
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

void SimEtcd::LoseVolume(const std::string& member) {
  if (!objects_.volumes.contains(member)) return;
  const bool has_lost =
      std::ranges::any_of(members_, [this](const auto& entry) { return IsLost(entry.first); });
  const Member* found = MemberOf(member);
  const Record* record = RecordOf(member);
  if (has_lost || record == nullptr) return;
  const bool is_voter = found != nullptr && !found->is_learner;
  const bool is_safe = voters() >= 3 && RunningVoters(member) >= voters() / 2 + 1;
  if (is_voter && !is_safe) return;
  objects_.volumes.erase(member);
  objects_.pods.erase(member);
}

void SimEtcd::LoseStatus(const std::string& member) {
  Record* record = RecordOf(member);
  const bool others_tell = std::ranges::all_of(objects_.records, [&](const Record& one) {
    return one.name == member || one.phase == Phase::kVoter;
  });
  const bool is_safe = IsQuorate() && voters() >= 3 && RunningVoters() == voters();
  if (record == nullptr || !others_tell || !is_safe || !MemberOf(member)) return;
  *record = {.name = record->name,
             .slot = record->slot,
             .seq = record->seq,
             .is_bootstrap = record->is_bootstrap,
             .is_unwanted = record->is_unwanted};
}

void SimEtcd::LoseClusterId() {
  if (std::ranges::any_of(objects_.records, &Record::has_joined)) objects_.cluster = {};
}

void SimEtcd::ChangePeerUrl(const std::string& member) {
  if (Member* found = MemberOf(member)) found->other_url = "http://elsewhere-" + member + ":2380";
}

void SimEtcd::MendByHand() {
  for (auto& [name, member] : members_) member.other_url.clear();
  for (Record& record : objects_.records) {
    const Member* member = MemberOf(record.name);
    const bool is_another = member == nullptr || member->id != record.id;
    const bool has_vanished = record.phase != Phase::kPending && is_another;
    if (IsLost(record.name) || has_vanished) record.is_unwanted = true;
  }
}

bool SimEtcd::IsUnchanged(const std::string& member, const Observed& seen) const {
  const auto was = std::ranges::find(seen.records, member, &Record::name);
  const auto is = std::ranges::find(objects_.records, member, &Record::name);
  return was != seen.records.end() && is != objects_.records.end() && *was == *is;
}

bool SimEtcd::HasSamePod(const std::string& member, const Observed& seen) const {
  const auto was = seen.pods.find(member);
  const auto is = objects_.pods.find(member);
  return was != seen.pods.end() && is != objects_.pods.end() && was->second.uid == is->second.uid &&
         was->second.has_voter_role == is->second.has_voter_role;
}

// What the API server lets through of objects: by version, by uid, or because there is none.
bool SimEtcd::FitsObjects(const Step& step, const Observed& seen) const {
  if (const auto* one = std::get_if<CreateRecord>(&step)) {
    return one->record.seq > objects_.last_seq;
  }
  if (const auto* one = std::get_if<UpdateRecord>(&step))
    return IsUnchanged(one->record.name, seen);
  if (const auto* one = std::get_if<DeleteRecord>(&step)) return IsUnchanged(one->member, seen);
  if (const auto* one = std::get_if<CreateVolume>(&step)) {
    return IsUnchanged(one->member, seen) && !objects_.volumes.contains(one->member);
  }
  if (const auto* one = std::get_if<CreatePods>(&step)) {
    return std::ranges::all_of(one->pods, [&](const CreatePods::One& pod) {
      return IsUnchanged(pod.member, seen) && !objects_.pods.contains(pod.member) &&
             objects_.volumes.contains(pod.member);
    });
  }
  if (const auto* one = std::get_if<SetVoterRole>(&step)) return HasSamePod(one->member, seen);
  if (const auto* one = std::get_if<WithdrawPod>(&step)) return HasSamePod(one->member, seen);
  return !std::holds_alternative<LatchCluster>(step) || objects_.cluster == ClusterId{};
}

// What etcd lets through, or what it says when it is asked once more.
bool SimEtcd::FitsEtcd(const Step& step, const Observed& seen) const {
  if (const auto* one = std::get_if<DeletePod>(&step)) {
    const auto pod = objects_.pods.find(one->member);
    // A pod whose member has joined since has another version: it became Ready.
    return pod != objects_.pods.end() && pod->second.uid == one->uid &&
           IsUnchanged(one->member, seen) &&
           !(one->must_be_absent && members_.contains(one->member));
  }
  if (const auto* one = std::get_if<DeleteVolume>(&step)) {
    const auto volume = objects_.volumes.find(one->member);
    return volume != objects_.volumes.end() && volume->second.uid == one->uid &&
           !(one->must_be_absent && members_.contains(one->member));
  }
  if (std::holds_alternative<AddLearner>(step)) {
    return std::ranges::none_of(members_, [](const auto& one) { return one.second.is_learner; });
  }
  if (const auto* one = std::get_if<RemoveMember>(&step)) {
    const auto found = std::ranges::find_if(
        members_, [&](const auto& entry) { return entry.second.id == one->id; });
    if (found == members_.end() || found->second.is_learner) return true;
    return RunningVoters(found->first) >= (voters() - 1) / 2 + 1 && leader_ != found->first;
  }
  return true;
}

void SimEtcd::RunLate(const Step& step, const Observed& seen) {
  Elect();
  if (!FitsObjects(step, seen) || !FitsEtcd(step, seen)) return;
  // A record that was leaving may stay by it, after its member has left: that is seen next.
  if (const auto* one = std::get_if<UpdateRecord>(&step)) removed_by_hand_.insert(one->record.name);
  is_late_ = true;
  Run(step);
  is_late_ = false;
}

std::string SimEtcd::Describe() const {
  std::string text = fmt::format("\nwanted {} leader {} cluster {}", wanted.replicas, leader_,
                                 objects_.cluster.value());
  for (const Record& record : objects_.records) {
    text += fmt::format("\nrecord {} phase {} id {}{}{}{}{}", record.name,
                        static_cast<int>(record.phase), record.id.value(),
                        record.has_joined ? " joined" : "", record.is_unwanted ? " unwanted" : "",
                        IsLost(record.name) ? " lost" : "",
                        objects_.pods.contains(record.name) ? " pod" : "");
  }
  for (const auto& [name, member] : members_) {
    text += fmt::format("\nmember {} id {}{}{}{}", name, member.id.value(),
                        member.is_learner ? " learner" : "", member.has_started ? " started" : "",
                        IsRunning(name) ? " running" : "");
  }
  return text;
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
      StartNew(one);
    } else {
      StartExisting(one);
    }
  }
}

void SimEtcd::StartNew(const CreatePods::One& one) {
  const std::string& volume = objects_.volumes[one.member].uid;
  Member* member = MemberOf(one.member);
  // On its own volume it goes on as what it was.
  const bool is_same = member != nullptr && member->volume == volume;
  if (has_cluster_ && !is_same) Fault("a second cluster");
  if (has_cluster_) return;
  members_[one.member] = {MemberId(next_id_++), one.member, false, true, volume};
  has_cluster_ = true;
}

void SimEtcd::StartExisting(const CreatePods::One& one) {
  Member* member = MemberOf(one.member);
  if (member == nullptr) {
    // It was removed and the operator does not know yet: the server stops by itself.
    const bool may_be =
        RecordOf(one.member)->phase == Phase::kRemoving || removed_by_hand_.contains(one.member);
    if (!may_be && !is_late_ && !one.is_guarded) Fault("pod of no member: " + one.member);
    return;
  }
  if (!member->has_started && one.is_guarded) return;  // there is nothing on its volume
  if (!member->has_started && one.initial_cluster.find(one.member + "=") == std::string::npos) {
    Fault("a first start without itself in the initial cluster");
  }
  if (member->has_started && IsLost(one.member)) {
    // The guard of its data holds it back, once it is known to have joined.
    if (!RecordOf(one.member)->has_joined && !one.is_guarded && !member->is_learner) {
      Fault("a voter starts on an empty volume: " + one.member);
    }
    return;
  }
  member->has_started = true;
  member->volume = objects_.volumes[one.member].uid;
}

void SimEtcd::Do(const DeletePod& step) {
  const auto member = members_.find(step.member);
  // One that was never seen in the cluster may be made anew: nothing rests on it.
  const Record* record = RecordOf(step.member);
  const bool is_running = member != members_.end() && member->second.has_started &&
                          record != nullptr && record->has_joined &&
                          !objects_.pods[step.member].is_finished && !IsLost(step.member);
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
  // Of an entry that has never run nothing is lost: its URL may be another one before it is known.
  const Member* member = MemberOf(step.member);
  const bool holds_data = member != nullptr && member->has_started;
  if (holds_data) Fault("volume of a listed member deleted: " + step.member);
  objects_.volumes.erase(step.member);
}

void SimEtcd::Do(const DeleteRecord& step) {
  const auto volume = objects_.volumes.find(step.member);
  if (volume != objects_.volumes.end()) volume->second.is_detached = true;
  std::erase_if(objects_.records, [&](const Record& record) { return record.name == step.member; });
}

void SimEtcd::Do(const UpdateRecord& step) {
  if (Record* record = RecordOf(step.record.name)) *record = step.record;
}

void SimEtcd::Do(const SetVoterRole& step) {
  const Member* member = MemberOf(step.member);
  const bool is_voter = member != nullptr && !member->is_learner;
  if (!is_voter && !is_late_) Fault("clients sent to no voter: " + step.member);
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
  if (pod != objects_.pods.end() && pod->second.has_voter_role && !is_late_) {
    Fault("clients are sent to a member that leaves: " + name);
  }
  if (!found->second.is_learner) {
    if (RunningVoters(name) < (voters() - 1) / 2 + 1) Fault("removal below the quorum: " + name);
    if (leader_ == name && voters() > 1) Fault("the leader was removed: " + name);
  }
  if (is_late_) removed_by_hand_.insert(name);
  members_.erase(found);
}

}  // namespace etcd::plan
