#include "operator/loop/measure.h"

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

using Since = std::optional<Memory::Time>;

// Since when `holds` holds.
void Follow(bool holds, Memory::Time now, Since& since) {
  if (!holds) {
    since.reset();
  } else if (!since.has_value()) {
    since = now;
  }
}

bool HasForeign(const plan::View& view) {
  if (!view.is_quorate()) return false;
  for (const plan::Listed& listed : view.members()) {
    if (view.RecordOf(listed) == nullptr) return true;
  }
  return false;
}

// The member that leaves has a pod that no service selects any more.
bool IsWithdrawn(const Facts& facts) {
  const plan::Record* record = InFlight(facts);
  if (record == nullptr || record->phase != plan::Phase::kRemoving) return false;
  const auto pod = facts.observed.pods.find(record->name);
  return pod != facts.observed.pods.end() && !pod->second.has_voter_role;
}

// A seed is given up by its pod's age; nobody can have written to it. A restore takes the time that
// it takes.
bool IsSeedOverdue(const base::Clock& clock, const Facts& facts,
                   std::chrono::milliseconds deadline) {
  if (facts.pods.empty()) return false;
  const kube::Object& pod = facts.pods.begin()->second;
  const PodFacts read = ReadPod(pod);
  if (read.is_preparing) return false;
  const absl::StatusOr<kube::WallTime> begun = kube::ParseTime(
      !read.prepared_at.empty() ? read.prepared_at
                                : kube::TextAt(pod.json(), {"metadata", "creationTimestamp"}));
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
  Follow(HasForeign(view), now, memory.foreign_since);
  Follow(IsWithdrawn(facts), now, memory.withdrawn_since);
  plan::Observed& observed = facts.observed;
  observed.is_leaver_drained =
      memory.withdrawn_since.has_value() && now - *memory.withdrawn_since >= kDrained;
  observed.is_settled =
      memory.participating_since.has_value() && now - *memory.participating_since >= kSettled;
  observed.are_foreign_entries_old =
      memory.foreign_since.has_value() && now - *memory.foreign_since >= kForeignOld;
  observed.is_backing_off = memory.backing_off_until.has_value() && now < *memory.backing_off_until;
  const std::chrono::milliseconds deadline(
      desired::DurationMs(facts.cluster.spec.progress_deadline));
  observed.is_addition_overdue = is_latched ? IsGrowthOverdue(facts, now, deadline, memory)
                                            : IsSeedOverdue(clock, facts, deadline);
}

}  // namespace etcd::loop
