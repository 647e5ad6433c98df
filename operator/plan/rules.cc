#include "operator/plan/rules.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include <fmt/format.h>

namespace etcd::plan {
namespace {

bool IsLeaving(const Record& record) { return record.phase >= Phase::kRemoving; }

std::string BlockedText(const std::string& member, const std::string& gate) {
  const std::string why = gate == "Voters" ? "a cluster of fewer than three voters gives none up"
                          : gate == "Quorum"
                              ? "without it there would be no quorum of members that participate"
                              : "another member is on its way";
  return fmt::format("{} is not replaced (gate {}): {}", member, gate, why);
}

bool IsAbandoned(const Record& seed) {
  return seed.is_bootstrap && !seed.has_joined && seed.phase == Phase::kRemoved;
}

bool IsInFlight(const Record& record) { return record.phase != Phase::kVoter; }

}  // namespace

Record Rules::NewRecord(bool is_bootstrap) const {
  std::set<int> taken;
  for (const Record& record : observed.records) taken.insert(record.slot);
  Record record;
  while (taken.contains(record.slot)) ++record.slot;
  record.seq = observed.last_seq + 1;
  record.is_bootstrap = is_bootstrap;
  record.name = MemberName(wanted, record.slot, record.seq);
  return record;
}

// A new cluster begins once: while nobody has ever joined, and with the only member that ever was.
Step Rules::Bootstrap() const {
  if (std::ranges::any_of(observed.records, &Record::has_joined)) return LatchAgain();
  if (observed.records.empty()) return BeginBootstrap();
  const Record& seed = observed.records.front();
  // A seed that was given up. One that has joined is never cleared without a list.
  if (IsAbandoned(seed) && MayBegin(seed)) return ClearRemains(seed, "Bootstrapping");
  const Health* health = view.HealthOf(seed.name);
  const bool has_leader = health != nullptr && health->leader != MemberId{};
  if (has_leader && view.is_quorate()) return Latch(seed);
  if (!MayBegin(seed)) {
    return Wait{"StatusLost",
                seed.name + " is not the first and only member, and nobody knows the cluster's id"};
  }
  if (view.VolumeOf(seed.name) == nullptr) return CreateVolume{seed.name};
  if (view.PodOf(seed.name) == nullptr) return StartSeed(seed);
  if (has_leader && seed.phase == Phase::kPending) {
    // From here on there may be a cluster: its volume is kept whatever happens.
    Record answered = seed;
    answered.phase = Phase::kStarting;
    return UpdateRecord{answered};
  }
  const Pod* pod = view.PodOf(seed.name);
  const bool is_stuck = observed.is_addition_overdue && health == nullptr && !seed.has_joined;
  if (is_stuck && !pod->is_deleting) return GiveUpSeed(seed, *pod);
  return Wait{"Bootstrapping", "the first member is starting"};
}

// One that never spoke of a leader goes with its volume, and another one takes its place under a
// new name; nobody can have written to it. Of any other, and of one that is being filled from a
// backup, which takes long, only the pod is made anew.
Step Rules::GiveUpSeed(const Record& seed, const Pod& pod) const {
  if (seed.phase != Phase::kPending || seed.is_restored || !MayBegin(seed)) {
    return DeletePod{seed.name, pod.uid, "the first member did not start in time"};
  }
  Record abandoned = seed;
  abandoned.phase = Phase::kRemoved;
  return UpdateRecord{abandoned};
}

Step Rules::BeginBootstrap() const {
  if (observed.has_strangers) {
    return Wait{"ForeignObject", "pods of an earlier cluster of this name are still there"};
  }
  for (const auto& [member, volume] : observed.volumes) {
    if (volume.is_deleting || volume.is_detached) continue;
    return Wait{"ForeignObject",
                fmt::format("the volume of {} belongs to this cluster, but its EtcdMember is gone; "
                            "delete the claim if its data are not needed",
                            member)};
  }
  return CreateRecord{NewRecord(true)};
}

bool Rules::MayBegin(const Record& seed) const {
  return seed.is_bootstrap && !seed.has_joined && observed.records.size() == 1 &&
         observed.last_seq <= seed.seq && observed.cluster == ClusterId{};
}

bool Rules::AreVotersOurs() const {
  return std::ranges::all_of(view.members(), [this](const Listed& one) {
    return one.is_learner || view.RecordOf(one) != nullptr;
  });
}

Step Rules::LatchAgain() const {
  std::optional<ClusterId> cluster;
  for (const Record& record : observed.records) {
    const Health* health = view.HealthOf(record.name);
    if (health == nullptr || !view.is_quorate()) continue;
    const Listed* listed = view.ListedOf(record);
    // One whose own status was lost tells as much while nobody else votes.
    const bool is_known = record.has_joined ? health->id == record.id : AreVotersOurs();
    const bool is_own = is_known && listed != nullptr && listed->id == health->id;
    if (!is_own || health->leader == MemberId{}) continue;
    if (cluster.has_value() && *cluster != health->cluster) {
      return Wait{"ClusterIDMismatch", "the members answer for two clusters"};
    }
    cluster = health->cluster;
  }
  if (cluster.has_value()) return LatchCluster{*cluster};
  if (!view.is_quorate()) {
    if (auto step = RestartUnnoted()) return *step;
  }
  for (const Record& record : observed.records) {
    const Volume* volume = view.VolumeOf(record.name);
    if (!record.has_joined || (volume != nullptr && volume->uid == record.volume_uid)) continue;
    // A member that has been in a cluster must not become another one on an empty volume.
    return Wait{"DataMissing", record.name + " has not the volume that it joined with"};
  }
  return Wait{"Bootstrapping", "members that have joined are starting"};
}

// Only ever for a seed that has not joined: one that has is restarted like every other member.
Step Rules::StartSeed(const Record& seed) const {
  return CreatePods{{{.member = seed.name,
                      .is_new_cluster = true,
                      .initial_cluster = seed.name + "=" + PeerUrl(wanted, seed.name)}}};
}

Step Rules::Latch(const Record& seed) const {
  const Listed* listed = view.ListedOf(seed);
  // Others are there when all statuses were lost.
  const bool is_it = listed != nullptr && listed->id == view.HealthOf(seed.name)->id;
  if (!is_it || !AreVotersOurs() || listed->is_learner || view.VolumeOf(seed.name) == nullptr) {
    return Wait{"UnexpectedMember", "the first member is not alone"};
  }
  Record joined = seed;
  joined.phase = Phase::kVoter;
  joined.id = listed->id;
  joined.has_joined = true;
  joined.volume_uid = view.VolumeOf(seed.name)->uid;
  joined.initial_cluster = InitialCluster(seed);
  return UpdateRecord{joined};
}

std::optional<Step> Rules::ClearFinishedPod() const {
  for (const Record& record : observed.records) {
    const Pod* pod = view.PodOf(record.name);
    if (pod == nullptr || !pod->is_finished || pod->is_deleting) continue;
    return DeletePod{record.name, pod->uid, "it has ended and never runs again"};
  }
  return std::nullopt;
}

std::optional<Step> Rules::RestartPods() const {
  CreatePods step;
  for (const Record& record : observed.records) {
    const Volume* volume = view.VolumeOf(record.name);
    // Another volume than it joined with would be an empty voter, which forgets what it has
    // promised.
    const bool is_own_volume = volume != nullptr && volume->uid == record.volume_uid;
    if (!record.has_joined || !is_own_volume || !IsNeeded(record)) continue;
    if (view.PodOf(record.name) != nullptr) continue;
    step.pods.push_back({.member = record.name, .initial_cluster = record.initial_cluster});
  }
  if (step.pods.empty()) return std::nullopt;
  return step;
}

std::optional<Step> Rules::RestartUnnoted() const {
  CreatePods step;
  for (const Record& record : observed.records) {
    const bool may_have_run = !record.has_joined && !IsLeaving(record);
    if (!may_have_run || view.VolumeOf(record.name) == nullptr) continue;
    if (view.PodOf(record.name) != nullptr) continue;
    step.pods.push_back(
        {.member = record.name, .initial_cluster = record.initial_cluster, .is_guarded = true});
  }
  if (step.pods.empty()) return std::nullopt;
  return step;
}

// A member that is leaving is needed as long as it cannot leave: one of two voters, say, whose pod
// was lost at that moment, is what the quorum waits for.
bool Rules::IsNeeded(const Record& record) const {
  if (record.phase == Phase::kRemoved) return false;
  if (!IsLeaving(record) || !view.is_quorate()) return true;
  const Listed* listed = view.ListedOf(record);
  return listed != nullptr && !listed->is_learner && !view.MayRemove(record);
}

std::optional<Step> Rules::ReportMismatch() const {
  for (const Record& record : observed.records) {
    if (IsLeaving(record) || record.is_unwanted) continue;
    if (std::string text = view.MismatchOf(record); !text.empty()) {
      return Wait{"PeerURLMismatch", std::move(text)};
    }
  }
  return std::nullopt;
}

// What vanishes loses its volume. Several at once look like a list that is not this cluster's, or
// like a mistake of ours, so that a user must say that they are gone.
std::optional<Step> Rules::MarkVanished() const {
  const Record* gone = nullptr;
  std::string names;
  int count = 0;
  for (const Record& record : observed.records) {
    const bool was_listed = record.phase != Phase::kPending && !IsLeaving(record);
    const Listed* listed = view.ListedOf(record);
    // Somebody else's entry has its URL: a user says that the one of the record is gone.
    const bool is_another =
        record.is_unwanted && record.has_joined && listed != nullptr && listed->id != record.id;
    if (!was_listed || (listed != nullptr && !is_another)) continue;
    if (gone == nullptr || record.is_unwanted) gone = &record;
    if (record.is_unwanted) continue;
    names += (names.empty() ? "" : ", ") + record.name;
    ++count;
  }
  if (gone == nullptr) return std::nullopt;
  if (count > 1 && !gone->is_unwanted) {
    return Wait{"MembersVanished",
                names +
                    " are not in etcd's member list any more; delete the EtcdMembers of those "
                    "that are to be given up with their volumes"};
  }
  Record leaving = *gone;
  leaving.phase = Phase::kRemoving;
  return UpdateRecord{leaving};
}

std::optional<Step> Rules::FinishMember() const {
  // Two are leaving when somebody decided by an old look: the one that may go goes first.
  const Record* leaving = nullptr;
  for (const Record& record : observed.records) {
    if (!IsLeaving(record) || (leaving != nullptr && !view.MayRemove(record))) continue;
    if (leaving == nullptr || !view.MayRemove(*leaving)) leaving = &record;
  }
  if (leaving != nullptr) return FinishRemoval(*leaving);
  for (const Record& record : observed.records) {
    if (IsInFlight(record)) return FinishAddition(record);
    const Pod* pod = view.PodOf(record.name);
    const Listed* listed = view.ListedOf(record);
    const bool votes = listed != nullptr && listed->id == record.id && !listed->is_learner;
    if (votes && pod != nullptr && !pod->has_voter_role) return SetVoterRole{record.name};
  }
  return std::nullopt;
}

std::optional<Step> Rules::RemoveForeign() const {
  for (const Listed& listed : view.members()) {
    if (view.RecordOf(listed) != nullptr) continue;
    const bool has_voted = !listed.is_learner && !listed.name.empty();
    if (has_voted) return Wait{"UnexpectedMember", "a voter that is not ours: " + listed.name};
    if (observed.old_foreign_entries.contains(listed.id)) return RemoveMember{listed.id, {}};
    return Wait{"UnexpectedMember",
                fmt::format("an entry that is not ours: {:x} {}", listed.id.value(),
                            fmt::join(listed.peer_urls, ","))};
  }
  return std::nullopt;
}

std::string Rules::BlockingGate(const Record& record) const {
  if (view.voters() < 3) return "Voters";
  if (!view.MayRemove(record)) return "Quorum";
  return view.learners_or_unstarted() > 0 ? "OtherOperation" : "";
}

std::optional<Step> Rules::ReplaceUnwanted() const {
  std::optional<Step> blocked;  // of the first; another one may be in its way
  for (const Record& record : observed.records) {
    if (!record.is_unwanted) continue;
    if (std::string gate = BlockingGate(record); !gate.empty()) {
      if (blocked.has_value()) continue;
      blocked = Wait{"ReplacementBlocked", BlockedText(record.name, gate), std::move(gate)};
      continue;
    }
    if (auto step = HandOver(record)) return step;
    Record leaving = record;
    leaving.phase = Phase::kRemoving;
    return UpdateRecord{leaving};
  }
  return blocked;
}

std::optional<Step> Rules::Grow() const {
  if (static_cast<int>(observed.records.size()) >= wanted.replicas) return std::nullopt;
  if (observed.is_backing_off) return Wait{"LearnerStalled", "a new member did not catch up"};
  if (view.has_alarm()) return Wait{"ScalingUp", "an alarm must be cleared first"};
  if (!view.AllVotersParticipate() || !observed.is_settled) {
    return Wait{"ScalingUp",
                fmt::format("{} of {} voters participate", view.participating(), view.voters())};
  }
  return CreateRecord{NewRecord(false)};
}

std::pair<int, int> Rules::Neighbours(const Record& record) const {
  const Pod* own = view.PodOf(record.name);
  std::pair<int, int> count{0, 0};
  if (own == nullptr) return count;
  for (const Record& other : observed.records) {
    const Pod* pod = view.PodOf(other.name);
    if (pod == nullptr) continue;
    if (!own->zone.empty() && pod->zone == own->zone) ++count.first;
    if (!own->node.empty() && pod->node == own->node) ++count.second;
  }
  return count;
}

// The member to give up: one that a user wants gone, one that does not participate, then followers
// where most members are, by descending slot, the leader last (operator-spec 8.4).
const Record* Rules::Victim() const {
  const Record* leader = view.LeaderRecord();
  std::vector<const Record*> order;
  for (const Record& record : observed.records) order.push_back(&record);
  const auto rank = [&](const Record* record) {
    const auto [in_zone, on_node] = Neighbours(*record);
    return std::tuple(!record->is_unwanted, view.IsParticipating(*record), record == leader,
                      -in_zone, -on_node, -record->slot);
  };
  return *std::ranges::min_element(order, {}, rank);
}

std::optional<Step> Rules::Shrink() const {
  if (static_cast<int>(observed.records.size()) <= wanted.replicas) return std::nullopt;
  if (wanted.replicas == 0) return Wait{"HibernationUnsupported", "replicas 0 is not built yet"};
  const Record* victim = Victim();
  if (!view.MayRemove(*victim)) {
    return Wait{"ScalingDown", "without " + victim->name + " there would be no quorum"};
  }
  if (auto step = HandOver(*victim)) return step;
  Record leaving = *victim;
  leaving.phase = Phase::kRemoving;
  return UpdateRecord{leaving};
}

// Leadership leaves a member before the member leaves: to the voter that is furthest.
std::optional<Step> Rules::HandOver(const Record& record) const {
  if (view.LeaderRecord() != &record || view.voters() <= 1) return std::nullopt;
  const Record* best = nullptr;
  for (const Record& other : observed.records) {
    if (&other == &record || IsLeaving(other) || !view.IsParticipating(other)) continue;
    const bool is_better = best == nullptr || view.HealthOf(other.name)->applied_index >
                                                  view.HealthOf(best->name)->applied_index;
    if (is_better) best = &other;
  }
  if (best == nullptr) return Wait{"ScalingDown", "nobody can take over the leadership"};
  return MoveLeader{record.name, best->name, view.HealthOf(best->name)->id};
}

}  // namespace etcd::plan
