// Rules for the one member that is on its way in or out.
#include <algorithm>

#include <fmt/format.h>

#include "operator/plan/rules.h"

namespace etcd::plan {
namespace {

// A learner this near to the leader is tried; whether it may vote is the server's decision.
constexpr std::uint64_t kPromoteLagMax = 1000;

}  // namespace

Step Rules::FinishRemoval(const Record& record) const {
  if (const Listed* listed = view.ListedOf(record); listed != nullptr) {
    const bool is_left = view.voters() == 1;
    if (!listed->is_learner && record.phase == Phase::kRemoving &&
        (is_left || IsOvertaken(record))) {
      // The others are gone meanwhile: who is left holds the data. Or one is to go first.
      Record staying = record;
      staying.phase = Phase::kVoter;
      return UpdateRecord{staying};
    }
    if (!listed->is_learner && !view.MayRemove(record)) {
      return Wait{"ScalingDown", "without " + record.name + " there would be no quorum"};
    }
    if (auto step = Withdraw(record)) return *step;
    if (auto step = HandOver(record)) return *step;
    return RemoveMember{listed->id, record.name};
  }
  if (record.phase == Phase::kRemoving) {
    Record removed = record;
    removed.phase = Phase::kRemoved;
    return UpdateRecord{removed};
  }
  // Absent by a linearizable list: what it leaves behind can go.
  return ClearRemains(record, "ScalingDown");
}

Step Rules::ClearRemains(const Record& record, std::string_view progress) const {
  // Before there is a cluster there is nobody to ask.
  const bool asks_etcd = observed.cluster != ClusterId{};
  if (const Pod* pod = view.PodOf(record.name); pod != nullptr) {
    if (pod->is_deleting) return Wait{std::string(progress), record.name + " is stopping"};
    return DeletePod{record.name, pod->uid, "the member has left the cluster", asks_etcd};
  }
  const Volume* volume = view.VolumeOf(record.name);
  if (volume != nullptr && !volume->is_deleting && !wanted.keeps_removed_volumes) {
    return DeleteVolume{record.name, volume->uid, asks_etcd};
  }
  return DeleteRecord{record.name};
}

// It cannot go, since another one that a user has given up does not participate: that one goes.
bool Rules::IsOvertaken(const Record& record) const {
  if (view.MayRemove(record)) return false;
  return std::ranges::any_of(observed.records, [&](const Record& other) {
    return other.is_unwanted && other.phase == Phase::kVoter && !view.IsParticipating(other) &&
           view.MayRemove(other);
  });
}

// A removed member stops by itself at once: whoever connects to it then is refused.
std::optional<Step> Rules::Withdraw(const Record& record) const {
  const Pod* pod = view.PodOf(record.name);
  if (pod == nullptr || pod->is_deleting) return std::nullopt;
  if (pod->has_voter_role) return WithdrawPod{record.name};
  if (observed.is_leaver_drained) return std::nullopt;
  return Wait{"ScalingDown", record.name + " gets no new connections any more"};
}

Step Rules::FinishAddition(const Record& record) const {
  if (MustGiveUp(record)) {
    Record leaving = record;
    leaving.phase = Phase::kRemoving;
    return UpdateRecord{leaving};
  }
  const Listed* listed = view.ListedOf(record);
  // One that has told its name has run, whatever its record says.
  const bool has_run = record.has_joined || (listed != nullptr && !listed->name.empty());
  if (has_run && listed != nullptr && !listed->is_learner) return NoteThatItVotes(record, *listed);
  if (view.VolumeOf(record.name) == nullptr) {
    if (has_run) return Wait{"DataMissing", "the volume of " + record.name + " is gone"};
    return CreateVolume{record.name};
  }
  if (listed == nullptr) return Announce(record);
  const std::string initial_cluster = InitialCluster(record);
  const bool is_announced = record.phase >= Phase::kAnnounced && record.id == listed->id;
  if (!is_announced || (!record.has_joined && record.initial_cluster != initial_cluster)) {
    Record announced = record;
    announced.phase = std::max(record.phase, Phase::kAnnounced);
    announced.id = listed->id;
    announced.initial_cluster = initial_cluster;
    return UpdateRecord{announced};
  }
  const Pod* pod = view.PodOf(record.name);
  if (pod == nullptr && has_run && !record.has_joined) return NoteThatItJoined(record);
  if (pod == nullptr) {
    return CreatePods{{{.member = record.name, .initial_cluster = record.initial_cluster}}};
  }
  if (!record.has_joined && IsOutdated(record, *pod)) {
    return DeletePod{record.name, pod->uid, "its initial cluster is out of date"};
  }
  if (!record.has_joined) return StartLearner(record, *listed);
  return PromoteLearner(record, *listed);
}

// A learner can be given up at any time: nothing rests on it.
bool Rules::MustGiveUp(const Record& record) const {
  if (!record.is_unwanted && !observed.is_addition_overdue) return false;
  const Listed* listed = view.ListedOf(record);
  return listed == nullptr || listed->is_learner;
}

// The flag is read on an empty volume only, and a pod cannot be changed.
bool Rules::IsOutdated(const Record& record, const Pod& pod) const {
  return !pod.is_deleting && pod.initial_cluster != record.initial_cluster &&
         view.HealthOf(record.name) == nullptr;
}

Step Rules::Announce(const Record& record) const {
  // One learner at a time: somebody else's must go first.
  if (view.learners_or_unstarted() > 0) {
    if (auto step = RemoveForeign()) return *step;
  }
  // etcd 3.6 refuses when a voter is away; it would only be asked again and again.
  if (!view.AllVotersParticipate() || view.learners_or_unstarted() > 0 || view.has_alarm()) {
    return Wait{"ScalingUp",
                fmt::format("{} of {} voters participate", view.participating(), view.voters())};
  }
  return AddLearner{record.name, PeerUrl(wanted, record.name)};
}

Step Rules::StartLearner(const Record& record, const Listed& listed) const {
  const Health* health = view.HealthOf(record.name);
  if (health == nullptr || health->id != listed.id) {
    if (record.phase == Phase::kStarting) return Wait{"ScalingUp", record.name + " is starting"};
    Record starting = record;
    starting.phase = Phase::kStarting;
    return UpdateRecord{starting};
  }
  return NoteThatItJoined(record);
}

// From here on it starts on this volume, behind the guard of its data, or not at all.
Step Rules::NoteThatItJoined(const Record& record) const {
  Record joined = record;
  joined.phase = Phase::kLearner;
  joined.has_joined = true;
  joined.volume_uid = view.VolumeOf(record.name)->uid;
  return UpdateRecord{joined};
}

// Also of one whose status was lost: without a volume, or on an emptied one, it is not started.
Step Rules::NoteThatItVotes(const Record& record, const Listed& listed) const {
  Record voter = record;
  voter.phase = Phase::kVoter;
  if (record.has_joined) return UpdateRecord{voter};
  const Volume* volume = view.VolumeOf(record.name);
  voter.id = listed.id;
  voter.has_joined = true;
  voter.volume_uid = volume == nullptr ? "lost" : volume->uid;
  voter.initial_cluster = InitialCluster(record);
  return UpdateRecord{voter};
}

Step Rules::PromoteLearner(const Record& record, const Listed& listed) const {
  // Readiness is not asked: a learner never becomes ready (operator-spec 8.3).
  const std::optional<std::uint64_t> lag = view.Lag(record.name);
  if (!lag.has_value() || *lag > kPromoteLagMax) {
    return Wait{"ScalingUp", record.name + " catches up"};
  }
  if (!view.AllVotersParticipate()) return Wait{"ScalingUp", "a voter does not participate"};
  return Promote{record.name, listed.id};
}

// Every member with its URL; the own name for the own URL, since it is not in the list before the
// first start.
std::string Rules::InitialCluster(const Record& self) const {
  std::string text;
  const Listed* own = view.ListedOf(self);
  for (const Listed& listed : view.members()) {
    const std::string& name = &listed == own ? self.name : listed.name;
    if (name.empty()) continue;
    for (const std::string& url : listed.peer_urls) {
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, url);
    }
  }
  return text;
}

}  // namespace etcd::plan
