// Generated from operator/api/member.yaml by operator/api/generate.py; do not edit.

#include "operator/model/member.h"

#include <nlohmann/json.hpp>

#include "operator/model/member_fields.h"

namespace etcd::model {

absl::StatusOr<EtcdMember> ParseEtcdMember(const nlohmann::json& object) {
  return ParseObject<EtcdMember>(object);
}

nlohmann::json ToJson(const EtcdMember& object) { return WriteObject(object); }
nlohmann::json ToJson(const EtcdMemberSpec& spec) { return Writer::Object(spec); }
nlohmann::json ToJson(const EtcdMemberStatus& status) { return Writer::Object(status); }

}  // namespace etcd::model
