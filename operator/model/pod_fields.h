// Generated from operator/api/pod.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/codec.h"
#include "operator/model/pod.h"

namespace etcd::model {

template <>
struct Fields<KeyReference> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("key", self.key);
    archive.Field("optional", self.optional);
  }
};

template <>
struct Fields<FieldReference> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("fieldPath", self.field_path);
  }
};

template <>
struct Fields<EnvVarSource> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("secretKeyRef", self.secret_key_ref);
    archive.Field("configMapKeyRef", self.config_map_key_ref);
    archive.Field("fieldRef", self.field_ref);
  }
};

template <>
struct Fields<EnvVar> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("name", self.name);
    archive.Field("value", self.value);
    archive.Field("valueFrom", self.value_from);
  }
};

template <>
struct EnumNames<TolerationOperator> {
  static constexpr std::string_view kNames[] = {"Exists", "Equal"};
};

template <>
struct EnumNames<TolerationEffect> {
  static constexpr std::string_view kNames[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
};

template <>
struct Fields<Toleration> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("key", self.key);
    archive.Field("operator", self.operator_);
    archive.Field("value", self.value);
    archive.Field("effect", self.effect);
    archive.Field("tolerationSeconds", self.toleration_seconds);
  }
};

template <>
struct EnumNames<SelectorRequirementOperator> {
  static constexpr std::string_view kNames[] = {"In",           "NotIn", "Exists",
                                                "DoesNotExist", "Gt",    "Lt"};
};

template <>
struct Fields<SelectorRequirement> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("key", self.key);
    archive.Field("operator", self.operator_);
    archive.Field("values", self.values);
  }
};

template <>
struct Fields<LabelSelector> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("matchLabels", self.match_labels);
    archive.Field("matchExpressions", self.match_expressions);
  }
};

template <>
struct Fields<NodeSelectorTerm> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("matchExpressions", self.match_expressions);
    archive.Field("matchFields", self.match_fields);
  }
};

template <>
struct Fields<PreferredNodes> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("weight", self.weight);
    archive.Field("preference", self.preference);
  }
};

template <>
struct Fields<RequiredNodes> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("nodeSelectorTerms", self.node_selector_terms);
  }
};

template <>
struct Fields<NodeAffinity> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("requiredDuringSchedulingIgnoredDuringExecution",
                  self.required_during_scheduling_ignored_during_execution);
    archive.Field("preferredDuringSchedulingIgnoredDuringExecution",
                  self.preferred_during_scheduling_ignored_during_execution);
  }
};

template <>
struct Fields<PodAffinityTerm> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("labelSelector", self.label_selector);
    archive.Field("namespaces", self.namespaces);
    archive.Field("namespaceSelector", self.namespace_selector);
    archive.Field("topologyKey", self.topology_key);
  }
};

template <>
struct Fields<WeightedPodAffinityTerm> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("weight", self.weight);
    archive.Field("podAffinityTerm", self.pod_affinity_term);
  }
};

template <>
struct Fields<PodAffinity> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("requiredDuringSchedulingIgnoredDuringExecution",
                  self.required_during_scheduling_ignored_during_execution);
    archive.Field("preferredDuringSchedulingIgnoredDuringExecution",
                  self.preferred_during_scheduling_ignored_during_execution);
  }
};

template <>
struct Fields<Affinity> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("nodeAffinity", self.node_affinity);
    archive.Field("podAffinity", self.pod_affinity);
    archive.Field("podAntiAffinity", self.pod_anti_affinity);
  }
};

template <>
struct EnumNames<TopologySpreadWhenUnsatisfiable> {
  static constexpr std::string_view kNames[] = {"ScheduleAnyway", "DoNotSchedule"};
};

template <>
struct Fields<TopologySpread> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("topologyKey", self.topology_key);
    archive.Field("maxSkew", self.max_skew);
    archive.Field("whenUnsatisfiable", self.when_unsatisfiable);
    archive.Field("minDomains", self.min_domains);
  }
};

template <>
struct Fields<IpBlock> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("cidr", self.cidr);
    archive.Field("except", self.except);
  }
};

template <>
struct Fields<NetworkPolicyPeer> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("podSelector", self.pod_selector);
    archive.Field("namespaceSelector", self.namespace_selector);
    archive.Field("ipBlock", self.ip_block);
  }
};

}  // namespace etcd::model
