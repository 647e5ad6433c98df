// Generated from operator/api/cluster.yaml by operator/api/generate.py; do not edit.

#include "operator/model/cluster.h"

#include <nlohmann/json.hpp>

#include "operator/model/cluster_fields.h"

namespace etcd::model {

std::string_view ToText(ImagePullPolicy value) { return NameOf(value); }

std::string_view ToText(PvcRetentionWhenDeleted value) { return NameOf(value); }

std::string_view ToText(PvcRetentionWhenRemoved value) { return NameOf(value); }

std::string_view ToText(AutoCompactionMode value) { return NameOf(value); }

std::string_view ToText(EtcdSettingsLogLevel value) { return NameOf(value); }

std::string_view ToText(TlsMode value) { return NameOf(value); }

std::string_view ToText(TlsClientAuth value) { return NameOf(value); }

std::string_view ToText(SchedulingAntiAffinity value) { return NameOf(value); }

std::string_view ToText(PodDisruptionBudgetUnhealthyPodEvictionPolicy value) {
  return NameOf(value);
}

std::string_view ToText(ClientServiceType value) { return NameOf(value); }

std::string_view ToText(ClientServiceTrafficDistribution value) { return NameOf(value); }

std::string_view ToText(ClientServiceExternalTrafficPolicy value) { return NameOf(value); }

absl::StatusOr<EtcdCluster> ParseEtcdCluster(const nlohmann::json& object) {
  return ParseObject<EtcdCluster>(object);
}

nlohmann::json ToJson(const EtcdCluster& object) { return WriteObject(object); }
nlohmann::json ToJson(const EtcdClusterSpec& spec) { return Writer::Object(spec); }
nlohmann::json ToJson(const EtcdClusterStatus& status) { return Writer::Object(status); }

}  // namespace etcd::model
