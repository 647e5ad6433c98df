// Generated from operator/api/pod.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "operator/model/values.h"

namespace etcd::model {

// A key that may be allowed to be missing.
struct KeyReference {
  std::string name = {};
  std::string key = {};
  std::optional<bool> optional = {};
  UnknownFields unknown = {};
  bool operator==(const KeyReference&) const = default;
};

// A field of the pod, by path.
struct FieldReference {
  std::string field_path = {};
  UnknownFields unknown = {};
  bool operator==(const FieldReference&) const = default;
};

// Where the value of a variable stands. Exactly one of the fields.
struct EnvVarSource {
  std::optional<KeyReference> secret_key_ref = {};
  std::optional<KeyReference> config_map_key_ref = {};
  std::optional<FieldReference> field_ref = {};
  UnknownFields unknown = {};
  bool operator==(const EnvVarSource&) const = default;
};

// An environment variable of the member's container.
struct EnvVar {
  std::string name = {};
  std::optional<std::string> value = {};
  std::optional<EnvVarSource> value_from = {};
  UnknownFields unknown = {};
  bool operator==(const EnvVar&) const = default;
};

// How value is compared.
enum class TolerationOperator { kExists, kEqual };
std::string_view ToText(TolerationOperator value);

// Effect of the taint; none: all.
enum class TolerationEffect { kNoSchedule, kPreferNoSchedule, kNoExecute };
std::string_view ToText(TolerationEffect value);

// A taint that members put up with.
struct Toleration {
  std::optional<std::string> key = {};
  std::optional<TolerationOperator> operator_ = {};
  std::optional<std::string> value = {};
  std::optional<TolerationEffect> effect = {};
  std::optional<int64_t> toleration_seconds = {};
  UnknownFields unknown = {};
  bool operator==(const Toleration&) const = default;
};

// Relation to the values.
enum class SelectorRequirementOperator { kIn, kNotIn, kExists, kDoesNotExist, kGt, kLt };
std::string_view ToText(SelectorRequirementOperator value);

// A demand on one label.
struct SelectorRequirement {
  std::string key = {};
  SelectorRequirementOperator operator_ = {};
  std::vector<std::string> values = {};
  UnknownFields unknown = {};
  bool operator==(const SelectorRequirement&) const = default;
};

// Chooses objects by their labels.
struct LabelSelector {
  std::map<std::string, std::string> match_labels = {};
  std::vector<SelectorRequirement> match_expressions = {};
  UnknownFields unknown = {};
  bool operator==(const LabelSelector&) const = default;
};

// Demands on a node; all must hold.
struct NodeSelectorTerm {
  std::vector<SelectorRequirement> match_expressions = {};
  std::vector<SelectorRequirement> match_fields = {};
  UnknownFields unknown = {};
  bool operator==(const NodeSelectorTerm&) const = default;
};

// A wish for nodes.
struct PreferredNodes {
  int32_t weight = {};
  NodeSelectorTerm preference;
  UnknownFields unknown = {};
  bool operator==(const PreferredNodes&) const = default;
};

// Nodes that may be used at all.
struct RequiredNodes {
  std::vector<NodeSelectorTerm> node_selector_terms = {};
  UnknownFields unknown = {};
  bool operator==(const RequiredNodes&) const = default;
};

// Which nodes members go to.
struct NodeAffinity {
  std::optional<RequiredNodes> required_during_scheduling_ignored_during_execution = {};
  std::vector<PreferredNodes> preferred_during_scheduling_ignored_during_execution = {};
  UnknownFields unknown = {};
  bool operator==(const NodeAffinity&) const = default;
};

// Pods that members go near to or away from.
struct PodAffinityTerm {
  std::optional<LabelSelector> label_selector = {};
  std::vector<std::string> namespaces = {};
  std::optional<LabelSelector> namespace_selector = {};
  std::string topology_key = {};
  UnknownFields unknown = {};
  bool operator==(const PodAffinityTerm&) const = default;
};

// A wish about pods.
struct WeightedPodAffinityTerm {
  int32_t weight = {};
  PodAffinityTerm pod_affinity_term;
  UnknownFields unknown = {};
  bool operator==(const WeightedPodAffinityTerm&) const = default;
};

// Relation to other pods.
struct PodAffinity {
  std::vector<PodAffinityTerm> required_during_scheduling_ignored_during_execution = {};
  std::vector<WeightedPodAffinityTerm> preferred_during_scheduling_ignored_during_execution = {};
  UnknownFields unknown = {};
  bool operator==(const PodAffinity&) const = default;
};

// Kubernetes' affinity of pods, beside the operator's own rule about members.
struct Affinity {
  std::optional<NodeAffinity> node_affinity = {};
  std::optional<PodAffinity> pod_affinity = {};
  std::optional<PodAffinity> pod_anti_affinity = {};
  UnknownFields unknown = {};
  bool operator==(const Affinity&) const = default;
};

// Wish or demand.
enum class TopologySpreadWhenUnsatisfiable { kScheduleAnyway, kDoNotSchedule };
std::string_view ToText(TopologySpreadWhenUnsatisfiable value);

// How evenly members are spread; the members' labels are filled in by the operator.
struct TopologySpread {
  std::string topology_key = {};
  int32_t max_skew = 1;
  TopologySpreadWhenUnsatisfiable when_unsatisfiable =
      TopologySpreadWhenUnsatisfiable::kScheduleAnyway;
  std::optional<int32_t> min_domains = {};
  UnknownFields unknown = {};
  bool operator==(const TopologySpread&) const = default;
};

// A range of addresses.
struct IpBlock {
  std::string cidr = {};
  std::vector<std::string> except = {};
  UnknownFields unknown = {};
  bool operator==(const IpBlock&) const = default;
};

// Who may reach the client port.
struct NetworkPolicyPeer {
  std::optional<LabelSelector> pod_selector = {};
  std::optional<LabelSelector> namespace_selector = {};
  std::optional<IpBlock> ip_block = {};
  UnknownFields unknown = {};
  bool operator==(const NetworkPolicyPeer&) const = default;
};

}  // namespace etcd::model
