// Generated from operator/api/cluster_status.yaml by operator/api/generate.py; do not edit.

#include "operator/model/cluster_status.h"

#include <nlohmann/json.hpp>

#include "operator/model/cluster_status_fields.h"

namespace etcd::model {

std::string_view ToText(EtcdClusterStatusPhase value) { return NameOf(value); }

}  // namespace etcd::model
