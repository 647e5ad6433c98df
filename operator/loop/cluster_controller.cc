#include "operator/loop/cluster_controller.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "operator/kube/times.h"
#include "operator/loop/deletion.h"
#include "operator/loop/measure.h"
#include "operator/loop/orphans.h"
#include "operator/loop/standing.h"
#include "operator/loop/warnings.h"
#include "server/base/log.h"
#include "server/base/status.h"

namespace etcd::loop {
namespace {

using kube::Json;
using kube::WorkQueue;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Until the next look.
constexpr milliseconds kAfterStep{10};
constexpr milliseconds kInFlight{300};  // something is about to happen
constexpr seconds kInFlightLong{2};     // and has been for a minute
constexpr seconds kWaiting{10};         // for somebody else
constexpr seconds kDegraded{5};
constexpr seconds kIdle{30};
constexpr seconds kFluxLong{60};
constexpr seconds kFiguresEvery{30};  // sizes and indexes alone are no reason to write earlier
constexpr std::string_view kStatusManager = "etcd-operator-status";

std::vector<kube::WorkKey> KeysOfCluster(const kube::Change& change) {
  const kube::Object& object = change.after ? change.after : change.before;
  if (change.before && change.after) {
    // What we write into the status ourselves is no news.
    const auto part = [](const kube::Object& of, std::string_view name) {
      const Json* found = kube::Find(of.json(), {"metadata", name});
      return found == nullptr ? Json() : *found;
    };
    const bool is_same = std::ranges::all_of(
        std::initializer_list<std::string_view>{"generation", "deletionTimestamp", "annotations",
                                                "finalizers", "uid"},
        [&](std::string_view name) {
          return part(change.before, name) == part(change.after, name);
        });
    if (is_same) return {};
  }
  return {{std::string(model::EtcdCluster::kKind), object.ns(), object.name()}};
}

std::vector<kube::WorkKey> KeysOfPart(const kube::Change& change) {
  const kube::Object& object = change.after ? change.after : change.before;
  const std::string_view cluster = object.label(desired::kClusterLabel);
  if (cluster.empty()) return {};
  return {{std::string(model::EtcdCluster::kKind), object.ns(), std::string(cluster)}};
}

bool HasFinalizer(const kube::Object& object, std::string_view finalizer) {
  const Json* all = kube::Find(object.json(), {"metadata", "finalizers"});
  return all != nullptr && std::ranges::find(*all, finalizer) != all->end();
}

bool IsNothing(const plan::Step& step) {
  return std::holds_alternative<plan::Done>(step) || std::holds_alternative<plan::Wait>(step);
}

ClusterFigures FiguresOf(const Facts& facts, const model::EtcdClusterStatus& status) {
  ClusterFigures figures{.replicas = facts.cluster.spec.replicas,
                         .ready = status.ready_replicas.value_or(0),
                         .voters = status.voters.value_or(0),
                         .learners = status.learners.value_or(0),
                         .is_quorate = facts.observed.members.has_value()};
  for (const model::Condition& condition : status.conditions) {
    figures.conditions[condition.type] = condition.status == model::ConditionStatus::kTrue    ? 1
                                         : condition.status == model::ConditionStatus::kFalse ? 0
                                                                                              : -1;
  }
  return figures;
}

}  // namespace

ClusterController::ClusterController(const kube::ControllerContext& context,
                                     member::EtcdAccess& etcd, desired::Settings settings,
                                     Metrics& metrics, MakeSeedParts make_seed_parts)
    : context_(context),
      settings_(std::move(settings)),
      metrics_(metrics),
      observer_(context_, etcd, settings_),
      executor_(context_, etcd, settings_, std::move(make_seed_parts)),
      zones_(context_) {}

std::vector<kube::Controller::Watched> ClusterController::watched() const {
  const std::string ours(desired::kClusterLabel);
  return {{desired::kClusters, {}, KeysOfCluster}, {desired::kMembers, {}, KeysOfPart},
          {kube::kPods, ours, KeysOfPart},         {kube::kVolumeClaims, ours, KeysOfPart},
          {kube::kServices, ours, KeysOfPart},     {kube::kDisruptionBudgets, ours, KeysOfPart}};
}

WorkQueue::Result ClusterController::Reconcile(const kube::WorkKey& work,
                                               const std::stop_token& stop) {
  const kube::ObjectKey key{work.ns, work.name};
  const std::shared_ptr<Memory> memory = memories_.Of(key);
  Outcome outcome;
  absl::StatusOr<Facts> facts = LookAndDecide(key, *memory, outcome);
  if (kube::Is(facts.status(), kube::ApiErrc::kNotFound)) {
    memories_.Forget(key);
    metrics_.DropCluster(key);
    const absl::StatusOr<bool> exists = ClearOrphansOf(context_, key);
    if (exists.ok() && *exists) return {absl::OkStatus(), kInFlight};
    return {exists.status(), std::nullopt};
  }
  if (kube::Is(facts.status(), kube::ApiErrc::kForbidden)) ReportForbidden(key, facts.status());
  if (!facts.ok()) return {facts.status(), std::nullopt};
  for (const kube::Object& member : facts->orphans) {
    const absl::Status cleared = ClearOrphan(context_, member);
    if (!cleared.ok()) return {cleared, std::nullopt};
  }
  if (facts->object.is_deleting()) return Delete(*facts, *memory);
  const bool is_paused = facts->wanted.is_paused;
  if (!is_paused && !HasFinalizer(facts->object, desired::kClusterFinalizer)) {
    memory->is_in_flux = true;
    return {AddFinalizer(context_.client, desired::kClusters, facts->object,
                         desired::kClusterFinalizer),
            kAfterStep};
  }
  if (!is_paused) {
    const int voters = facts->observed.members.has_value()
                           ? static_cast<int>(plan::View(facts->wanted, facts->observed).voters())
                           : facts->cluster.status.voters.value_or(0);
    outcome.standing_error = EnsureStanding(context_, settings_, *facts, voters, *memory);
  }
  if (stop.stop_requested()) return {absl::OkStatus(), std::nullopt};
  // Somebody else's object in the way stops a cluster from beginning, not one that runs.
  const bool has_begun = !facts->members.empty();
  const bool is_foreign = kube::Is(outcome.standing_error, kube::ApiErrc::kForeignOwner);
  if (outcome.standing_error.ok() || (has_begun && is_foreign)) {
    Execute(*facts, *memory, outcome);
  }
  const absl::Status reported = Report(*facts, outcome, *memory);
  if (!reported.ok()) return {reported, std::nullopt};
  return Next(*facts, outcome, *memory);
}

// From the caches when all was well the last time; whatever is to be done is decided by what the
// API server itself says.
absl::StatusOr<Facts> ClusterController::LookAndDecide(const kube::ObjectKey& key, Memory& memory,
                                                       Outcome& outcome) {
  for (bool fresh = memory.is_in_flux;; fresh = true) {
    ASSIGN_OR_RETURN(Facts facts, observer_.Look(key, fresh));
    // Of the last pod of a cluster that goes away there is nothing to ask: it has no quorum.
    if (!facts.object.is_deleting() || facts.pods.size() > 1) observer_.AskMembers(facts);
    zones_.Fill(facts);
    Measure(context_.clock, facts, memory);
    outcome.step = plan::Decide(facts.wanted, facts.observed);
    if (std::holds_alternative<plan::Done>(outcome.step)) memory.given_up = 0;
    outcome.given_up = memory.given_up;
    outcome.silent_for.reset();
    if (memory.silent_since.has_value()) {
      outcome.silent_for = context_.clock.Now() - *memory.silent_since;
    }
    const bool is_idle =
        std::holds_alternative<plan::Done>(outcome.step) && !facts.object.is_deleting();
    if (fresh || is_idle) return facts;
  }
}

WorkQueue::Result ClusterController::Delete(Facts& facts, Memory& memory) {
  memory.is_in_flux = true;
  if (!HasFinalizer(facts.object, desired::kClusterFinalizer)) {
    return {absl::OkStatus(), std::nullopt};
  }
  const absl::StatusOr<bool> is_done = TakeApart(context_, facts);
  if (!is_done.ok()) return {is_done.status(), std::nullopt};
  if (!*is_done) {
    base::IgnoreError(Report(facts, {}, memory), "the deletion goes on all the same");
  }
  return {absl::OkStatus(), seconds(1)};
}

// Of members that others take the place of: after the step, so that none is counted twice.
void ClusterController::CountReplacements(const Facts& facts, const plan::Step& step) {
  const bool is_shrinking = static_cast<int>(facts.observed.records.size()) > facts.wanted.replicas;
  const Facts::Member* member = facts.Find(MemberOf(step));
  if (is_shrinking || member == nullptr) return;
  const auto record =
      std::ranges::find(facts.observed.records, member->record.metadata.name, &plan::Record::name);
  std::string_view cause;
  if (std::holds_alternative<plan::DeleteRecord>(step) && record->is_unwanted) {
    cause = "UserRequest";
  } else if (const auto* update = std::get_if<plan::UpdateRecord>(&step)) {
    const bool is_voter = record->phase == plan::Phase::kVoter;
    const bool leaves = update->record.phase == plan::Phase::kRemoving;
    if (is_voter && leaves && !record->is_unwanted) cause = "RemovedByHand";
  }
  if (cause.empty()) return;
  metrics_.Replaced(cause);
  context_.events.Record(
      {.regarding = kube::ReferenceTo(facts.object),
       .reason = "MemberReplaced",
       .action = "Reconcile",
       .note = fmt::format("another member takes the place of {} ({})", record->name, cause)});
}

void ClusterController::Execute(const Facts& facts, Memory& memory, Outcome& outcome) {
  const auto* wait = std::get_if<plan::Wait>(&outcome.step);
  const std::string gate = wait == nullptr ? std::string() : wait->gate;
  const bool is_new_gate = std::exchange(memory.warned["gate"], gate) != gate;
  if (is_new_gate && !gate.empty()) metrics_.ReplacementBlocked(gate);
  if (IsNothing(outcome.step)) return;
  const auto begin = context_.clock.Now();
  outcome.step_error = executor_.Run(outcome.step, facts);
  const double took = std::chrono::duration<double>(context_.clock.Now() - begin).count();
  metrics_.StepDone(plan::NameOf(outcome.step), outcome.step_error.ok() ? "success" : "failure",
                    took);
  if (!outcome.step_error.ok()) {
    // etcd may say the same for seconds, for example that a member is not connected long enough.
    std::string told(base::MessageOf(outcome.step_error));
    if (std::exchange(memory.warned["step"], told) == told) return;
    LOG_INFO("step refused", {"namespace", facts.object.ns()}, {"cluster", facts.object.name()},
             {"step", plan::NameOf(outcome.step)}, {"member", MemberOf(outcome.step)},
             {"error", outcome.step_error});
    return;
  }
  memory.warned.erase("step");
  memory.flux_since = context_.clock.Now();
  CountReplacements(facts, outcome.step);
  const auto* update = std::get_if<plan::UpdateRecord>(&outcome.step);
  const bool has_given_up = update != nullptr && facts.observed.is_addition_overdue &&
                            update->record.phase == plan::Phase::kRemoving;
  if (has_given_up) {
    memory.backing_off_until = context_.clock.Now() + kBackOff;
    ++memory.given_up;
  }
}

absl::Status ClusterController::Report(const Facts& facts, const Outcome& outcome, Memory& memory) {
  const std::string now = kube::FormatTime(context_.clock.WallNow());
  const model::EtcdClusterStatus status = MakeStatus(facts, outcome, settings_, now);
  metrics_.SetCluster(facts.object.key(), FiguresOf(facts, status));
  Warn(context_, facts, status, memory);
  WriteMemberStatus(facts, now);
  const auto time = context_.clock.Now();
  const bool has_figures =
      !memory.status_at.has_value() || time - *memory.status_at >= kFiguresEvery;
  const bool is_same = !DiffersInSubstance(facts.cluster.status, status);
  if (is_same && !(has_figures && ToJson(facts.cluster.status) != ToJson(status))) {
    return absl::OkStatus();
  }
  const absl::Status written = WriteStatus(facts, status);
  // Somebody, perhaps this very reconcile, has changed it since it was read: the next look reports.
  if (kube::Is(written, kube::ApiErrc::kConflict) || kube::Is(written, kube::ApiErrc::kNotFound)) {
    return absl::OkStatus();
  }
  if (written.ok()) memory.status_at = time;
  return written;
}

// Something of the cluster may not be read; the rest of its status is what was known last.
void ClusterController::ReportForbidden(const kube::ObjectKey& key, const absl::Status& refusal) {
  const absl::StatusOr<kube::Object> object = context_.client.Get(desired::kClusters, key);
  if (!object.ok()) return;
  const absl::StatusOr<model::EtcdCluster> cluster = model::ParseEtcdCluster(object->json());
  if (!cluster.ok()) return;
  model::EtcdClusterStatus status = cluster->status;
  const std::string why =
      "the operator's role lacks a right: " + std::string(base::MessageOf(refusal));
  SetCondition(
      status.conditions, "Reconciled",
      {.status = model::ConditionStatus::kFalse, .reason = "DependencyMissing", .message = why},
      cluster->metadata.generation, kube::FormatTime(context_.clock.WallNow()));
  if (!DiffersInSubstance(cluster->status, status)) return;
  // Others' parts are theirs to write.
  status.backup.reset();
  std::erase_if(status.conditions, [](const auto& one) { return one.type == "BackupHealthy"; });
  Facts facts;
  facts.object = *object;
  base::IgnoreError(WriteStatus(facts, status), "it only informs, and comes again");
}

absl::Status ClusterController::WriteStatus(const Facts& facts,
                                            const model::EtcdClusterStatus& status) {
  const Json body = {{"apiVersion", std::string(model::kApiVersion)},
                     {"kind", std::string(model::EtcdCluster::kKind)},
                     {"metadata",
                      {{"name", facts.object.name()},
                       {"namespace", facts.object.ns()},
                       {"resourceVersion", std::string(facts.object.resource_version())}}},
                     {"status", ToJson(status)}};
  return context_.client.Apply(desired::kClusters, body, "status", kStatusManager).status();
}

void ClusterController::WriteMemberStatus(const Facts& facts, const std::string& now) {
  for (const Facts::Member& member : facts.members) {
    const model::EtcdMemberStatus status = MakeMemberStatus(facts, member, now);
    if (status == member.record.status) continue;
    const Json patch = {
        {"metadata", {{"resourceVersion", std::string(member.object.resource_version())}}},
        {"status", ToJson(status)}};
    base::IgnoreError(
        context_.client
            .Patch(desired::kMembers, member.object.key(), kube::PatchType::kMerge, patch, "status")
            .status(),
        "it only informs, and comes again");
  }
}

WorkQueue::Result ClusterController::Next(const Facts& facts, const Outcome& outcome,
                                          Memory& memory) const {
  memory.is_in_flux = !std::holds_alternative<plan::Done>(outcome.step);
  const bool is_foreign = kube::Is(outcome.standing_error, kube::ApiErrc::kForeignOwner);
  if (!outcome.standing_error.ok() && !is_foreign) return {outcome.standing_error, std::nullopt};
  const bool is_held_up = is_foreign && facts.members.empty();
  if (is_held_up || (is_foreign && IsNothing(outcome.step))) return {absl::OkStatus(), kWaiting};
  if (!outcome.step_error.ok() && !IsRefusalForNow(outcome.step_error) &&
      !kube::Is(outcome.step_error, kube::ApiErrc::kConflict)) {
    return {outcome.step_error, std::nullopt};
  }
  const auto now = context_.clock.Now();
  if (!memory.is_in_flux) {
    memory.flux_since.reset();
    const plan::View view(facts.wanted, facts.observed);
    return {absl::OkStatus(), view.AllVotersParticipate() ? kIdle : kDegraded};
  }
  if (!memory.flux_since.has_value()) memory.flux_since = now;
  const bool is_long = now - *memory.flux_since > kFluxLong;
  const auto in_flight = is_long ? std::chrono::nanoseconds(kInFlightLong) : kInFlight;
  const auto* wait = std::get_if<plan::Wait>(&outcome.step);
  if (wait == nullptr) {
    return {absl::OkStatus(), outcome.step_error.ok() ? kAfterStep : in_flight};
  }
  const bool is_near = wait->reason == "Bootstrapping" || wait->reason == "ScalingUp" ||
                       wait->reason == "ScalingDown" || wait->reason == "QuorumLost";
  return {absl::OkStatus(), is_near ? in_flight : kWaiting};
}

}  // namespace etcd::loop
