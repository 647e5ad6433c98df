#include "operator/loop/measure.h"

#include <algorithm>

#include "operator/kube/times.h"
#include "operator/loop/status.h"

namespace etcd::loop {
namespace {

// All voters participate for this long before the next change. etcd itself asks for five seconds of
// connection before it takes a further member.
constexpr std::chrono::seconds kSettled{1};
// Until the last node sends no new connections to a withdrawn pod.
constexpr std::chrono::seconds kDrained{2};
constexpr std::chrono::minutes kForeignOld{10};
// Of a large image over a slow line, and what an EtcdRestore has by default.
constexpr std::chrono::milliseconds kSlowStartMax{std::chrono::hours(1)};

using Since = std::optional<Memory::Time>;

// Since when `holds` holds.
void Follow(bool holds, Memory::Time now, Since& since) {
  if (!holds) {
    since.reset();
  } else if (!since.has_value()) {
    since = now;
  }
}

// Entries that nothing of ours belongs to, each by its own time.
void FollowForeign(const plan::View& view, Memory::Time now, Memory& memory,
                   std::set<MemberId>& old) {
  if (!view.is_quorate()) return;
  std::map<MemberId, Memory::Time> seen;
  for (const plan::Listed& listed : view.members()) {
    if (view.RecordOf(listed) != nullptr) continue;
    const auto before = memory.foreign_since.find(listed.id);
    const Memory::Time since = before == memory.foreign_since.end() ? now : before->second;
    seen[listed.id] = since;
    if (now - since >= kForeignOld) old.insert(listed.id);
  }
  memory.foreign_since = std::move(seen);
}

// The member that leaves has a pod that no service selects any more.
bool IsWithdrawn(const Facts& facts) {
  const plan::Record* record = InFlight(facts);
  if (record == nullptr || record->phase != plan::Phase::kRemoving) return false;
  const auto pod = facts.observed.pods.find(record->name);
  return pod != facts.observed.pods.end() && !pod->second.has_voter_role;
}

// Its node has it and does not complain: the image is on its way, or the volume.
bool IsBeingCreated(const PodFacts& pod) {
  return !pod.node.empty() && !pod.is_running && pod.waiting_reason.empty() &&
         !pod.exit_code.has_value();
}

// A seed is given up by its pod's age; nobody can have written to it. A restore takes the time that
// it takes, and begun anew it would take as long again.
bool IsSeedOverdue(const base::Clock& clock, const Facts& facts,
                   std::chrono::milliseconds deadline) {
  if (facts.members.empty()) return false;
  const model::EtcdMember& seed = facts.members.front().record;
  const auto pod = facts.pods.find(seed.metadata.name);
  if (pod == facts.pods.end()) return false;
  const PodFacts read = ReadPod(pod->second);
  if (read.is_preparing) return false;
  const bool is_prepared = !read.prepared_at.empty();
  const bool is_slow = seed.spec.restore_from.has_value() && !is_prepared;
  if (is_slow || IsBeingCreated(read)) deadline = std::max(deadline, kSlowStartMax);
  const absl::StatusOr<kube::WallTime> begun = kube::ParseTime(
      is_prepared ? read.prepared_at
                  : kube::TextAt(pod->second.json(), {"metadata", "creationTimestamp"}));
  return begun.ok() && clock.WallNow() - *begun > deadline;
}

// The deadline moves as long as the member catches up.
bool IsGrowthOverdue(const Facts& facts, Memory::Time now, std::chrono::milliseconds deadline,
                     Memory& memory) {
  const plan::Record* record = InFlight(facts);
  if (record == nullptr || record->phase >= plan::Phase::kRemoving) {
    memory.growing.clear();
    return false;
  }
  const auto answer = facts.answers.find(record->name);
  const std::uint64_t index = answer == facts.answers.end() ? 0 : answer->second.applied_index;
  if (memory.growing != record->name || index > memory.growing_index) {
    memory.growing = record->name;
    memory.growing_index = index;
    memory.growing_at = now;
  }
  return now - memory.growing_at > deadline;
}

}  // namespace

void Measure(const base::Clock& clock, Facts& facts, Memory& memory) {
  const Memory::Time now = clock.Now();
  const plan::View view(facts.wanted, facts.observed);
  const bool is_latched = facts.observed.cluster != ClusterId{};
  Follow(!view.is_quorate() && is_latched, now, memory.silent_since);
  Follow(view.is_quorate() && view.AllVotersParticipate(), now, memory.participating_since);
  Follow(IsWithdrawn(facts), now, memory.withdrawn_since);
  plan::Observed& observed = facts.observed;
  observed.is_leaver_drained =
      memory.withdrawn_since.has_value() && now - *memory.withdrawn_since >= kDrained;
  observed.is_settled =
      memory.participating_since.has_value() && now - *memory.participating_since >= kSettled;
  FollowForeign(view, now, memory, observed.old_foreign_entries);
  observed.is_backing_off = memory.backing_off_until.has_value() && now < *memory.backing_off_until;
  const std::chrono::milliseconds deadline(
      desired::DurationMs(facts.cluster.spec.progress_deadline));
  observed.is_addition_overdue = is_latched ? IsGrowthOverdue(facts, now, deadline, memory)
                                            : IsSeedOverdue(clock, facts, deadline);
}

}  // namespace etcd::loop
