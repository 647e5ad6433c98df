// Generated from operator/api/pod.yaml by operator/api/generate.py; do not edit.

#include "operator/model/pod.h"

#include <nlohmann/json.hpp>

#include "operator/model/pod_fields.h"

namespace etcd::model {

std::string_view ToText(TolerationOperator value) { return NameOf(value); }

std::string_view ToText(TolerationEffect value) { return NameOf(value); }

std::string_view ToText(SelectorRequirementOperator value) { return NameOf(value); }

std::string_view ToText(TopologySpreadWhenUnsatisfiable value) { return NameOf(value); }

}  // namespace etcd::model
