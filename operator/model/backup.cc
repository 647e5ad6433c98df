// Generated from operator/api/backup.yaml by operator/api/generate.py; do not edit.

#include "operator/model/backup.h"

#include <nlohmann/json.hpp>

#include "operator/model/backup_fields.h"

namespace etcd::model {

std::string_view ToText(BackupSource value) { return NameOf(value); }

std::string_view ToText(Compression value) { return NameOf(value); }

std::string_view ToText(Verification value) { return NameOf(value); }

std::string_view ToText(ReadBack value) { return NameOf(value); }

std::string_view ToText(EtcdBackupSpecDeletionPolicy value) { return NameOf(value); }

std::string_view ToText(EtcdBackupStatusPhase value) { return NameOf(value); }

std::string_view ToText(EtcdBackupScheduleSpecConcurrencyPolicy value) { return NameOf(value); }

absl::StatusOr<EtcdBackup> ParseEtcdBackup(const nlohmann::json& object) {
  return ParseObject<EtcdBackup>(object);
}

nlohmann::json ToJson(const EtcdBackup& object) { return WriteObject(object); }
nlohmann::json ToJson(const EtcdBackupSpec& spec) { return Writer::Object(spec); }
nlohmann::json ToJson(const EtcdBackupStatus& status) { return Writer::Object(status); }

absl::StatusOr<EtcdBackupSchedule> ParseEtcdBackupSchedule(const nlohmann::json& object) {
  return ParseObject<EtcdBackupSchedule>(object);
}

nlohmann::json ToJson(const EtcdBackupSchedule& object) { return WriteObject(object); }
nlohmann::json ToJson(const EtcdBackupScheduleSpec& spec) { return Writer::Object(spec); }
nlohmann::json ToJson(const EtcdBackupScheduleStatus& status) { return Writer::Object(status); }

}  // namespace etcd::model
