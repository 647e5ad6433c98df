#include "operator/loop/facts.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "operator/desired/urls.h"

namespace etcd::loop {
namespace {

plan::Record RecordOf(const model::EtcdMember& member) {
  const model::EtcdMemberStatus& status = member.status;
  plan::Record record;
  record.name = member.metadata.name;
  record.slot = member.spec.slot;
  record.seq = member.spec.seq;
  record.is_bootstrap = member.spec.bootstrap;
  record.phase = FromModel(status.phase);
  record.id = MemberId(ParseHexId(status.member_id.value_or("")));
  record.has_joined = status.joined_once.value_or(false);
  record.volume_uid = status.pvc_uid.value_or("");
  record.initial_cluster = status.initial_cluster.value_or("");
  record.is_restored = member.spec.restore_from.has_value();
  const auto asked = member.metadata.annotations.find(std::string(desired::kReplaceAnnotation));
  record.is_unwanted = !member.metadata.deletion_timestamp.empty() ||
                       (asked != member.metadata.annotations.end() && asked->second == "true");
  return record;
}

// Of "a=http://a.c-peer.n.svc.cluster.local:2380,b=...", the domain in the URL of `member`.
std::string DomainIn(std::string_view initial_cluster, const model::EtcdCluster& cluster,
                     const std::string& member) {
  const std::string begin = fmt::format("{}={}://{}{}", member, desired::Scheme(cluster), member,
                                        desired::MemberDomain(cluster, ""));
  while (!initial_cluster.empty()) {
    const std::string_view entry = initial_cluster.substr(0, initial_cluster.find(','));
    initial_cluster.remove_prefix(std::min(entry.size() + 1, initial_cluster.size()));
    if (!entry.starts_with(begin)) continue;
    const std::string_view rest = entry.substr(begin.size());
    return std::string(rest.substr(0, rest.find(':')));
  }
  return {};
}

// The image that new members have too, so that an operator with another default does not mix them.
std::string JoinedImage(const Facts& facts) {
  for (const Facts::Member& member : facts.members) {
    const model::EtcdMemberStatus& status = member.record.status;
    if (!status.joined_once.value_or(false)) continue;
    if (status.image.has_value()) return *status.image;
    if (std::string image = ImageOfPod(facts, member.record.metadata.name); !image.empty()) {
      return image;
    }
  }
  return {};
}

std::int64_t SeqOf(const kube::Object& object) {
  const std::string_view text = object.label(desired::kSeqLabel);
  std::int64_t seq = 0;
  std::from_chars(text.data(), text.data() + text.size(), seq);
  return seq;
}

const kube::Json* ContainerStatus(const kube::Json& pod, std::string_view list,
                                  std::string_view name) {
  const kube::Json* all = kube::Find(pod, {"status", list});
  if (all == nullptr || !all->is_array()) return nullptr;
  for (const kube::Json& one : *all) {
    if (kube::TextAt(one, {"name"}) == name) return &one;
  }
  return nullptr;
}

bool ConditionHolds(const kube::Json& pod, std::string_view type, std::string_view status) {
  const kube::Json* all = kube::Find(pod, {"status", "conditions"});
  if (all == nullptr || !all->is_array()) return false;
  return std::ranges::any_of(*all, [&](const kube::Json& one) {
    return kube::TextAt(one, {"type"}) == type && kube::TextAt(one, {"status"}) == status;
  });
}

std::string_view ConditionMessage(const kube::Json& pod, std::string_view type) {
  const kube::Json* all = kube::Find(pod, {"status", "conditions"});
  if (all == nullptr || !all->is_array()) return {};
  for (const kube::Json& one : *all) {
    if (kube::TextAt(one, {"type"}) == type) return kube::TextAt(one, {"message"});
  }
  return {};
}

void ReadServer(const kube::Json& pod, PodFacts& facts) {
  const kube::Json* server = ContainerStatus(pod, "containerStatuses", desired::kServerContainer);
  if (server == nullptr) return;
  facts.is_running = kube::Find(*server, {"state", "running"}) != nullptr;
  facts.restarts = kube::IntAt(*server, {"restartCount"}).value_or(0);
  const kube::Json* end = kube::Find(*server, {"state", "terminated"});
  if (end == nullptr) end = kube::Find(*server, {"lastState", "terminated"});
  if (end == nullptr) return;
  facts.exit_code = kube::IntAt(*end, {"exitCode"});
  facts.exit_reason = kube::TextAt(*end, {"reason"});
  facts.exit_message = kube::TextAt(*end, {"message"});
  facts.exit_at = kube::TextAt(*end, {"finishedAt"});
}

void ReadWaiting(const kube::Json& pod, std::string_view list, PodFacts& facts) {
  const kube::Json* all = kube::Find(pod, {"status", list});
  if (all == nullptr || !all->is_array()) return;
  for (const kube::Json& one : *all) {
    const std::string_view reason = kube::TextAt(one, {"state", "waiting", "reason"});
    if (reason.empty() || reason == "ContainerCreating" || reason == "PodInitializing") continue;
    facts.waiting_reason = reason;
    facts.waiting_message = kube::TextAt(one, {"state", "waiting", "message"});
  }
}

// Say, a restore into the volume of a seed.
void ReadPreparation(const kube::Json& pod, PodFacts& facts) {
  const kube::Json* all = kube::Find(pod, {"status", "initContainerStatuses"});
  if (all == nullptr || !all->is_array()) return;
  for (const kube::Json& one : *all) {
    if (kube::Find(one, {"state", "running"}) != nullptr) facts.is_preparing = true;
    const kube::Json* end = kube::Find(one, {"state", "terminated"});
    if (end == nullptr || kube::IntAt(*end, {"exitCode"}) != 0) continue;
    facts.prepared_at =
        std::max(facts.prepared_at, std::string(kube::TextAt(*end, {"finishedAt"})));
  }
}

bool GuardRefused(const kube::Json& pod) {
  const kube::Json* guard = ContainerStatus(pod, "initContainerStatuses", desired::kGuardContainer);
  if (guard == nullptr) return false;
  constexpr std::int64_t kRefused = 3;
  return kube::IntAt(*guard, {"state", "terminated", "exitCode"}) == kRefused ||
         kube::IntAt(*guard, {"lastState", "terminated", "exitCode"}) == kRefused;
}

}  // namespace

const Facts::Member* Facts::Find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      members, [&](const Member& member) { return member.record.metadata.name == name; });
  return found == members.end() ? nullptr : &*found;
}

std::string DomainOf(const Facts& facts) {
  for (const Facts::Member& member : facts.members) {
    const model::EtcdMemberStatus& status = member.record.status;
    if (!status.joined_once.value_or(false)) continue;
    std::string domain =
        DomainIn(status.initial_cluster.value_or(""), facts.cluster, member.record.metadata.name);
    if (!domain.empty()) return domain;
  }
  return {};
}

std::string ImageOfPod(const Facts& facts, const std::string& member) {
  const auto pod = facts.pods.find(member);
  if (pod == facts.pods.end()) return {};
  const kube::Json* containers = kube::Find(pod->second.json(), {"spec", "containers"});
  if (containers == nullptr || !containers->is_array()) return {};
  for (const kube::Json& one : *containers) {
    if (kube::TextAt(one, {"name"}) == desired::kServerContainer) {
      return std::string(kube::TextAt(one, {"image"}));
    }
  }
  return {};
}

void FillPlan(Facts& facts, const desired::Settings& settings) {
  const model::EtcdCluster& cluster = facts.cluster;
  facts.cluster_domain = DomainOf(facts);
  if (facts.cluster_domain.empty()) facts.cluster_domain = settings.cluster_domain;
  facts.image = JoinedImage(facts);
  facts.wanted = {
      .cluster = cluster.metadata.name,
      .uid = cluster.metadata.uid,
      .peer_url_suffix = fmt::format("{}:{}", desired::MemberDomain(cluster, facts.cluster_domain),
                                     desired::kPeerPort),
      .scheme = std::string(desired::Scheme(cluster)),
      .replicas = cluster.spec.replicas,
      .is_paused = IsPaused(cluster),
      .keeps_removed_volumes = cluster.spec.storage.pvc_retention.when_removed ==
                               model::PvcRetentionWhenRemoved::kRetain};
  plan::Observed& observed = facts.observed;
  observed.cluster = ClusterId(ParseHexId(cluster.status.cluster_id.value_or("")));
  observed.last_seq = std::max(observed.last_seq, cluster.status.member_seq.value_or(0));
  for (const Facts::Member& member : facts.members) {
    observed.records.push_back(RecordOf(member.record));
    observed.last_seq = std::max(observed.last_seq, member.record.spec.seq);
  }
  for (const auto& [name, claim] : facts.claims) {
    observed.volumes[name] = {.uid = std::string(claim.uid()),
                              .is_deleting = claim.is_deleting(),
                              .is_detached = !claim.label(desired::kDetachedLabel).empty()};
    observed.last_seq = std::max(observed.last_seq, SeqOf(claim));
  }
  for (const auto& [name, pod] : facts.pods) {
    const PodFacts read = ReadPod(pod);
    observed.pods[name] = {
        .uid = std::string(pod.uid()),
        .is_deleting = pod.is_deleting(),
        .has_voter_role = pod.label(desired::kRoleLabel) == desired::kVoterRole,
        .is_finished = read.is_finished,
        .initial_cluster = std::string(pod.annotation(desired::kInitialClusterAnnotation)),
        .node = read.node};
    if (!read.ip.empty() && read.is_running) {
      const bool is_v6 = read.ip.find(':') != std::string::npos;
      const std::string host = is_v6 ? "[" + read.ip + "]" : read.ip;
      facts.urls[name] =
          fmt::format("{}://{}:{}", desired::Scheme(cluster), host, desired::kClientPort);
    }
  }
}

void AddAnswers(Facts& facts) {
  for (const auto& [name, answer] : facts.answers) {
    facts.observed.health[name] = {.cluster = answer.cluster,
                                   .id = answer.id,
                                   .leader = answer.leader,
                                   .is_learner = answer.is_learner,
                                   .has_alarm = answer.has_no_space || answer.is_corrupt,
                                   .is_corrupt = answer.is_corrupt,
                                   .raft_index = answer.raft_index,
                                   .applied_index = answer.applied_index};
  }
}

std::vector<plan::Listed> ToPlan(const std::vector<member::ListedMember>& members) {
  std::vector<plan::Listed> list;
  for (const member::ListedMember& one : members) {
    list.push_back(
        {.id = one.id, .name = one.name, .peer_urls = one.peer_urls, .is_learner = one.is_learner});
  }
  return list;
}

PodFacts ReadPod(const kube::Object& pod) {
  PodFacts facts;
  const kube::Json& json = pod.json();
  const std::string_view phase = kube::TextAt(json, {"status", "phase"});
  facts.is_finished = phase == "Failed" || phase == "Succeeded";
  facts.is_ready = ConditionHolds(json, "Ready", "True");
  facts.is_unschedulable = ConditionHolds(json, "PodScheduled", "False");
  if (facts.is_unschedulable) facts.unschedulable_message = ConditionMessage(json, "PodScheduled");
  facts.ip = kube::TextAt(json, {"status", "podIP"});
  facts.node = kube::TextAt(json, {"spec", "nodeName"});
  ReadServer(json, facts);
  ReadWaiting(json, "containerStatuses", facts);
  ReadWaiting(json, "initContainerStatuses", facts);
  facts.has_lost_data = GuardRefused(json);
  ReadPreparation(json, facts);
  return facts;
}

bool IsPaused(const model::EtcdCluster& cluster) {
  const auto& annotations = cluster.metadata.annotations;
  const auto found = annotations.find(std::string(desired::kPausedAnnotation));
  return cluster.spec.paused || (found != annotations.end() && found->second == "true");
}

std::string HexId(std::uint64_t id) { return fmt::format("{:x}", id); }

std::uint64_t ParseHexId(std::string_view text) {
  std::uint64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id, 16);
  return id;
}

model::MemberPhase ToModel(plan::Phase phase) {
  switch (phase) {
    case plan::Phase::kPending:
      return model::MemberPhase::kPending;
    case plan::Phase::kAnnounced:
      return model::MemberPhase::kAnnounced;
    case plan::Phase::kStarting:
      return model::MemberPhase::kStarting;
    case plan::Phase::kLearner:
      return model::MemberPhase::kLearner;
    case plan::Phase::kVoter:
      return model::MemberPhase::kVoter;
    case plan::Phase::kRemoving:
      return model::MemberPhase::kRemoving;
    case plan::Phase::kRemoved:
      break;
  }
  return model::MemberPhase::kRemoved;
}

plan::Phase FromModel(std::optional<model::MemberPhase> phase) {
  switch (phase.value_or(model::MemberPhase::kPending)) {
    case model::MemberPhase::kAnnounced:
      return plan::Phase::kAnnounced;
    case model::MemberPhase::kStarting:
      return plan::Phase::kStarting;
    case model::MemberPhase::kLearner:
      return plan::Phase::kLearner;
    case model::MemberPhase::kVoter:
      return plan::Phase::kVoter;
    case model::MemberPhase::kRemoving:
      return plan::Phase::kRemoving;
    case model::MemberPhase::kRemoved:
      return plan::Phase::kRemoved;
    default:
      return plan::Phase::kPending;
  }
}

}  // namespace etcd::loop
