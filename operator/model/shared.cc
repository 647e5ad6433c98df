// Generated from operator/api/shared.yaml by operator/api/generate.py; do not edit.

#include "operator/model/shared.h"

#include <nlohmann/json.hpp>

#include "operator/model/shared_fields.h"

namespace etcd::model {

std::string_view ToText(AccessMode value) { return NameOf(value); }

std::string_view ToText(Medium value) { return NameOf(value); }

std::string_view ToText(ConditionStatus value) { return NameOf(value); }

std::string_view ToText(MemberPhase value) { return NameOf(value); }

std::string_view ToText(MemberRole value) { return NameOf(value); }

}  // namespace etcd::model
