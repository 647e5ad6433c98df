// Generated from operator/api/cluster_later.yaml by operator/api/generate.py; do not edit.

#include "operator/model/cluster_later.h"

#include <nlohmann/json.hpp>

#include "operator/model/cluster_later_fields.h"

namespace etcd::model {

std::string_view ToText(UpdateType value) { return NameOf(value); }

std::string_view ToText(UpdateAdoptOperatorTemplate value) { return NameOf(value); }

}  // namespace etcd::model
