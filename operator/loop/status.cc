#include "operator/loop/status.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "operator/desired/image.h"
#include "operator/desired/kinds.h"
#include "operator/desired/urls.h"
#include "operator/kube/times.h"
#include "operator/loop/act.h"

namespace etcd::loop {
namespace {

model::MemberRole RoleOf(const Facts& facts, const plan::Record& record) {
  const auto answer = facts.answers.find(record.name);
  if (answer != facts.answers.end() && answer->second.is_learner)
    return model::MemberRole::kLearner;
  if (record.phase == plan::Phase::kVoter) return model::MemberRole::kVoter;
  if (record.phase == plan::Phase::kLearner) return model::MemberRole::kLearner;
  return model::MemberRole::kStarting;
}

void AddAnswer(const member::Answer& answer, model::MemberSummary& summary) {
  summary.version = answer.version;
  summary.db_size = answer.db_size;
  summary.db_size_in_use = answer.db_size_in_use;
  summary.raft_index = static_cast<std::int64_t>(answer.raft_index);
  summary.raft_applied_index = static_cast<std::int64_t>(answer.applied_index);
  if (answer.has_no_space) summary.alarms.push_back("NOSPACE");
  if (answer.is_corrupt) summary.alarms.push_back("CORRUPT");
}

model::MemberSummary Summary(const Facts& facts, const plan::Record& record,
                             const std::string& now) {
  model::MemberSummary summary;
  summary.name = record.name;
  summary.slot = record.slot;
  summary.phase = ToModel(record.phase);
  summary.role = RoleOf(facts, record);
  summary.ready = false;
  if (record.id != MemberId{}) summary.member_id = HexId(record.id.value());
  if (const auto pod = facts.pods.find(record.name); pod != facts.pods.end()) {
    const PodFacts read = ReadPod(pod->second);
    summary.ready = read.is_ready;
    if (!read.node.empty()) summary.node = read.node;
    const auto zone = facts.zones.find(record.name);
    if (zone != facts.zones.end()) summary.zone = zone->second;
    const std::string hash(pod->second.annotation(desired::kPodHashAnnotation));
    if (!hash.empty()) summary.pod_hash = hash;
  }
  if (const auto answer = facts.answers.find(record.name); answer != facts.answers.end()) {
    AddAnswer(answer->second, summary);
  }
  if (std::string trouble = TroubleOf(facts, record.name); !trouble.empty()) {
    summary.message = trouble.substr(0, 1024);
  }
  summary.last_transition_time = now;
  for (const model::MemberSummary& before : facts.cluster.status.members) {
    if (before.name == record.name && before.phase == summary.phase) {
      summary.last_transition_time = before.last_transition_time;
    }
  }
  return summary;
}

void AddMembers(const Facts& facts, model::EtcdClusterStatus& status, const std::string& now) {
  std::int32_t ready = 0;
  std::optional<std::string> lowest;
  for (const plan::Record& record : facts.observed.records) {
    status.members.push_back(Summary(facts, record, now));
    const model::MemberSummary& summary = status.members.back();
    if (summary.ready.value_or(false)) ++ready;
    if (summary.version.has_value() && (!lowest || *summary.version < *lowest)) {
      lowest = summary.version;
    }
  }
  status.replicas = static_cast<std::int32_t>(facts.pods.size());
  status.ready_replicas = ready;
  status.current_version = lowest.has_value() ? lowest : facts.cluster.status.current_version;
}

// Counts of the list as it is, or as it was known last.
void AddCounts(const Facts& facts, model::EtcdClusterStatus& status) {
  const model::EtcdClusterStatus& before = facts.cluster.status;
  status.voters = before.voters.value_or(0);
  status.learners = before.learners.value_or(0);
  if (!facts.observed.members.has_value()) return;
  status.voters = 0;
  status.learners = 0;
  for (const plan::Listed& listed : *facts.observed.members) {
    ++*(listed.is_learner ? status.learners : status.voters);
  }
}

std::string DeadlineOf(const std::string& start, const std::string& duration) {
  const absl::StatusOr<kube::WallTime> begin = kube::ParseTime(start);
  if (!begin.ok()) return {};
  return kube::FormatTime(*begin + std::chrono::seconds(desired::DurationMs(duration) / 1000));
}

void AddOperation(const Facts& facts, const Outcome& outcome, model::EtcdClusterStatus& status,
                  const std::string& now) {
  const std::string type = OperationOf(facts);
  if (type.empty()) return;
  model::Operation operation;
  operation.type = type;
  if (const plan::Record* record = InFlight(facts)) operation.member = record->name;
  operation.step = std::string(plan::NameOf(outcome.step));
  if (const auto* wait = std::get_if<plan::Wait>(&outcome.step)) operation.step = wait->detail;
  if (operation.step->size() > 128) operation.step->resize(128);
  const std::optional<model::Operation>& before = facts.cluster.status.operation;
  const bool goes_on = before.has_value() && before->type == operation.type &&
                       before->member == operation.member && before->started_at.has_value();
  operation.started_at = goes_on ? before->started_at : now;
  // Each seed is a try, and has the next number.
  const bool is_first = facts.observed.cluster == ClusterId{};
  const auto tries = is_first ? std::max<std::int64_t>(1, facts.observed.last_seq)
                              : std::int64_t{outcome.given_up} + 1;
  operation.attempt = static_cast<std::int32_t>(tries);
  operation.deadline = DeadlineOf(*operation.started_at, facts.cluster.spec.progress_deadline);
  status.operation = std::move(operation);
}

model::EtcdClusterStatusPhase PhaseOf(const Facts& facts, const Verdicts& verdicts) {
  using Phase = model::EtcdClusterStatusPhase;
  if (facts.object.is_deleting()) return Phase::kDeleting;
  if (facts.wanted.is_paused) return Phase::kPaused;
  const bool is_available = verdicts.available.status == model::ConditionStatus::kTrue;
  if (facts.observed.cluster == ClusterId{}) return Phase::kCreating;
  if (verdicts.available.reason == "ClusterIDMismatch") return Phase::kFailed;
  if (verdicts.available.status == model::ConditionStatus::kFalse) return Phase::kQuorumLost;
  const std::string operation = OperationOf(facts);
  const bool has_had_all =
      facts.cluster.status.phase.value_or(Phase::kCreating) != Phase::kCreating;
  if (operation == "ScaleUp" && !has_had_all) return Phase::kCreating;
  if (operation == "Replace") return Phase::kHealing;
  if (!operation.empty()) return Phase::kScaling;
  const bool is_whole = verdicts.degraded.status != model::ConditionStatus::kTrue;
  return is_available && is_whole ? Phase::kRunning : Phase::kDegraded;
}

bool IsOthers(const model::Condition& condition) { return condition.type == "BackupHealthy"; }

}  // namespace

model::EtcdClusterStatus MakeStatus(const Facts& facts, const Outcome& outcome,
                                    const desired::Settings& settings, const std::string& now) {
  const model::EtcdCluster& cluster = facts.cluster;
  model::EtcdClusterStatus status;
  status.observed_generation = cluster.metadata.generation;
  status.cluster_id = cluster.status.cluster_id;
  status.cluster_token = cluster.status.cluster_token;
  status.member_seq = cluster.status.member_seq;
  status.cluster_version = cluster.status.cluster_version;
  status.selector = std::string(desired::kClusterLabel) + "=" + cluster.metadata.name;
  status.endpoints = {desired::ServiceUrl(cluster)};
  const std::string& image = facts.image.empty() ? settings.server_image : facts.image;
  const std::string target = desired::TargetVersion(cluster.spec, image);
  if (!target.empty()) status.target_version = target;
  AddMembers(facts, status, now);
  AddCounts(facts, status);
  const plan::View view(facts.wanted, facts.observed);
  if (const plan::Record* leader = view.LeaderRecord()) {
    status.leader = leader->name;
    const std::string& version = facts.answers.at(leader->name).cluster_version;
    if (!version.empty()) status.cluster_version = version;
  }
  AddOperation(facts, outcome, status, now);
  const Verdicts verdicts = Judge(facts, outcome, status, now);
  status.conditions = cluster.status.conditions;
  // Others' conditions are theirs to write.
  std::erase_if(status.conditions, IsOthers);
  const std::int64_t generation = cluster.metadata.generation;
  SetCondition(status.conditions, "Available", verdicts.available, generation, now);
  SetCondition(status.conditions, "Progressing", verdicts.progressing, generation, now);
  SetCondition(status.conditions, "Degraded", verdicts.degraded, generation, now);
  SetCondition(status.conditions, "Reconciled", verdicts.reconciled, generation, now);
  SetCondition(status.conditions, "StorageReady", verdicts.storage, generation, now);
  status.phase = PhaseOf(facts, verdicts);
  return status;
}

namespace {

// What the member's pod says, and whether it is ready.
Verdict TellPod(const PodFacts& pod, const std::string& trouble, model::EtcdMemberStatus& status) {
  status.replicas = 1;
  if (!pod.node.empty()) status.node = pod.node;
  status.restarts = static_cast<std::int32_t>(pod.restarts);
  if (pod.exit_code.has_value()) {
    status.last_exit = {.code = static_cast<std::int32_t>(*pod.exit_code),
                        .reason = pod.exit_reason.substr(0, 128)};
    if (!pod.exit_at.empty()) status.last_exit->at = pod.exit_at;
  }
  return {.status = pod.is_ready ? model::ConditionStatus::kTrue : model::ConditionStatus::kFalse,
          .reason = pod.is_ready ? "PodReady" : "PodNotReady",
          .message = trouble};
}

}  // namespace

model::EtcdMemberStatus MakeMemberStatus(const Facts& facts, const Facts::Member& member,
                                         const std::string& now) {
  model::EtcdMemberStatus status = member.record.status;
  const std::string& name = member.record.metadata.name;
  const std::int64_t generation = member.record.metadata.generation;
  status.selector = std::string(desired::kMemberLabel) + "=" + name;
  status.replicas = 0;
  Verdict ready{.reason = "NoPod", .message = TroubleOf(facts, name)};
  Verdict data{.status = model::ConditionStatus::kTrue, .reason = "Present"};
  if (const auto pod = facts.pods.find(name); pod != facts.pods.end()) {
    const PodFacts read = ReadPod(pod->second);
    status.pod_name = name;
    status.pod_uid = std::string(pod->second.uid());
    ready = TellPod(read, ready.message, status);
    if (read.has_lost_data) data = {.reason = "DataMissing", .message = ready.message};
  }
  if (status.joined_once.value_or(false) && !status.image.has_value()) {
    const std::string image = ImageOfPod(facts, name);
    if (!image.empty()) status.image = image;
  }
  const auto answer = facts.answers.find(name);
  if (answer != facts.answers.end()) status.version = answer->second.version;
  const auto claim = facts.claims.find(name);
  const bool has_joined = status.joined_once.value_or(false);
  if (has_joined && claim == facts.claims.end()) {
    data = {.reason = "VolumeGone", .message = ready.message};
  } else if (has_joined && claim->second.uid() != status.pvc_uid.value_or("")) {
    data = {.reason = "VolumeReplaced", .message = ready.message};
  }
  const Verdict joined{
      .status = has_joined ? model::ConditionStatus::kTrue : model::ConditionStatus::kFalse,
      .reason = has_joined ? "Joined" : "NotYet"};
  SetCondition(status.conditions, "Ready", ready, generation, now);
  SetCondition(status.conditions, "Joined", joined, generation, now);
  SetCondition(status.conditions, "DataPresent", data, generation, now);
  return status;
}

bool DiffersInSubstance(const model::EtcdClusterStatus& a, const model::EtcdClusterStatus& b) {
  const auto bare = [](model::EtcdClusterStatus status) {
    status.backup.reset();  // others write it
    std::erase_if(status.conditions, IsOthers);
    for (model::MemberSummary& member : status.members) {
      member.raft_index.reset();
      member.raft_applied_index.reset();
      member.db_size.reset();
      member.db_size_in_use.reset();
    }
    return ToJson(status);
  };
  return bare(a) != bare(b);
}

}  // namespace etcd::loop
