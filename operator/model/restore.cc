// Generated from operator/api/restore.yaml by operator/api/generate.py; do not edit.

#include "operator/model/restore.h"

#include <nlohmann/json.hpp>

#include "operator/model/restore_fields.h"

namespace etcd::model {

std::string_view ToText(EtcdRestoreStatusPhase value) { return NameOf(value); }

absl::StatusOr<EtcdRestore> ParseEtcdRestore(const nlohmann::json& object) {
  return ParseObject<EtcdRestore>(object);
}

nlohmann::json ToJson(const EtcdRestore& object) { return WriteObject(object); }
nlohmann::json ToJson(const EtcdRestoreSpec& spec) { return Writer::Object(spec); }
nlohmann::json ToJson(const EtcdRestoreStatus& status) { return Writer::Object(status); }

}  // namespace etcd::model
