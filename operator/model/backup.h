// Generated from operator/api/backup.yaml by operator/api/generate.py; do not edit.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <nlohmann/json_fwd.hpp>

#include "operator/model/shared.h"
#include "operator/model/values.h"

namespace etcd::model {

// Which member a backup is preferably taken from.
enum class BackupSource { kFollower, kLeader, kAny };
std::string_view ToText(BackupSource value);

// How a backup is stored.
enum class Compression { kZstd, kNone, kGzip };
std::string_view ToText(Compression value);

// How a backup is checked before it counts.
enum class Verification { kTrialRestore, kHash, kNone };
std::string_view ToText(Verification value);

// When what was stored is read again and its SHA-256 compared.
enum class ReadBack { kAuto, kAlways };
std::string_view ToText(ReadBack value);

// A cluster that is not managed here.
struct ForeignEndpoints {
  std::vector<std::string> urls = {};
  std::optional<LocalReference> tls_secret_ref = {};
  std::optional<LocalReference> auth_secret_ref = {};
  UnknownFields unknown = {};
  bool operator==(const ForeignEndpoints&) const = default;
};

// Where backups go. Exactly one of the fields.
struct BackupDestination {
  std::optional<S3Location> s3 = {};
  std::optional<VolumePath> pvc = {};
  UnknownFields unknown = {};
  bool operator==(const BackupDestination&) const = default;
};

// What a backup is like, wherever it comes from.
struct BackupTemplate {
  BackupDestination destination;
  BackupSource source = BackupSource::kFollower;
  Compression compression = Compression::kZstd;
  std::optional<JsonText> encryption = {};
  Verification verify = Verification::kTrialRestore;
  ReadBack read_back = ReadBack::kAuto;
  Duration timeout = "15m";
  int32_t retries = 3;
  std::optional<ResourceRequirements> resources = {};
  UnknownFields unknown = {};
  bool operator==(const BackupTemplate&) const = default;
};

// Whether deleting this object deletes the stored data.
enum class EtcdBackupSpecDeletionPolicy { kRetain, kDelete };
std::string_view ToText(EtcdBackupSpecDeletionPolicy value);

// What to back up and where to. It cannot be changed; make another one.
struct EtcdBackupSpec : BackupTemplate {
  std::optional<LocalReference> cluster_ref = {};
  std::optional<ForeignEndpoints> endpoints = {};
  std::optional<int32_t> ttl_seconds_after_finished = {};
  EtcdBackupSpecDeletionPolicy deletion_policy = EtcdBackupSpecDeletionPolicy::kRetain;
  bool operator==(const EtcdBackupSpec&) const = default;
};

// Where it stands; Completed and Failed are final.
enum class EtcdBackupStatusPhase {
  kPending,
  kRunning,
  kUploading,
  kVerifying,
  kCompleted,
  kFailed
};
std::string_view ToText(EtcdBackupStatusPhase value);

// What was stored.
struct BackupArtifact {
  std::optional<std::string> uri = {};
  std::optional<int64_t> size = {};
  std::optional<int64_t> stored_size = {};
  std::optional<std::string> sha256 = {};
  std::optional<int64_t> revision = {};
  std::optional<int64_t> total_keys = {};
  std::optional<std::string> hash_kv = {};
  std::optional<std::string> etcd_version = {};
  std::optional<std::string> cluster_id = {};
  std::optional<std::string> member_id = {};
  std::optional<std::string> format = {};
  UnknownFields unknown = {};
  bool operator==(const BackupArtifact&) const = default;
};

// How a backup was checked.
struct BackupVerification {
  std::optional<std::string> method = {};
  std::optional<std::string> result = {};
  std::optional<Time> at = {};
  UnknownFields unknown = {};
  bool operator==(const BackupVerification&) const = default;
};

// How the backup went.
struct EtcdBackupStatus {
  std::optional<EtcdBackupStatusPhase> phase = {};
  std::optional<Time> start_time = {};
  std::optional<Time> completion_time = {};
  std::optional<int32_t> attempt = {};
  std::optional<std::string> job = {};
  std::optional<BackupArtifact> artifact = {};
  std::optional<BackupVerification> verification = {};
  std::optional<std::string> message = {};
  std::optional<int64_t> observed_generation = {};
  std::vector<Condition> conditions = {};
  UnknownFields unknown = {};
  bool operator==(const EtcdBackupStatus&) const = default;
};

// When one is still running.
enum class EtcdBackupScheduleSpecConcurrencyPolicy { kForbid, kAllow, kReplace };
std::string_view ToText(EtcdBackupScheduleSpecConcurrencyPolicy value);

// Which stored backups of a schedule are kept. The newest verified one always is.
struct Retention {
  int32_t keep_last = 7;
  std::optional<int32_t> keep_daily = {};
  std::optional<int32_t> keep_weekly = {};
  std::optional<int32_t> keep_monthly = {};
  std::optional<Duration> max_age = {};
  int32_t min_keep = 1;
  std::optional<Duration> unverified_max_age = {};
  UnknownFields unknown = {};
  bool operator==(const Retention&) const = default;
};

// When backups are taken, of what, and how long they are kept.
struct EtcdBackupScheduleSpec {
  LocalReference cluster_ref;
  std::string schedule = {};
  std::string time_zone = "Etc/UTC";
  Duration jitter = "0s";
  bool suspend = false;
  bool immediate = false;
  EtcdBackupScheduleSpecConcurrencyPolicy concurrency_policy =
      EtcdBackupScheduleSpecConcurrencyPolicy::kForbid;
  int32_t starting_deadline_seconds = 600;
  BackupTemplate template_;
  Retention retention;
  int32_t successful_history_limit = 3;
  int32_t failed_history_limit = 1;
  UnknownFields unknown = {};
  bool operator==(const EtcdBackupScheduleSpec&) const = default;
};

// What the schedule did.
struct EtcdBackupScheduleStatus {
  std::optional<int64_t> observed_generation = {};
  std::optional<Time> last_schedule_time = {};
  std::optional<Time> next_schedule_time = {};
  std::optional<Time> last_successful_time = {};
  std::optional<Time> last_verified_time = {};
  std::vector<std::string> active = {};
  std::optional<int32_t> consecutive_failures = {};
  std::optional<int64_t> missed_schedules = {};
  std::vector<Condition> conditions = {};
  UnknownFields unknown = {};
  bool operator==(const EtcdBackupScheduleStatus&) const = default;
};

// One backup of a cluster, taken once.
struct EtcdBackup {
  static constexpr std::string_view kKind = "EtcdBackup";
  static constexpr std::string_view kPlural = "etcdbackups";
  ObjectMeta metadata;
  EtcdBackupSpec spec;
  EtcdBackupStatus status;
  UnknownFields unknown = {};
  bool operator==(const EtcdBackup&) const = default;
};
// Invalid argument with the path of the field that is not as the schema says.
absl::StatusOr<EtcdBackup> ParseEtcdBackup(const nlohmann::json& object);
nlohmann::json ToJson(const EtcdBackup& object);
nlohmann::json ToJson(const EtcdBackupSpec& spec);
nlohmann::json ToJson(const EtcdBackupStatus& status);

// Backups of a cluster at set times, and how long they are kept.
struct EtcdBackupSchedule {
  static constexpr std::string_view kKind = "EtcdBackupSchedule";
  static constexpr std::string_view kPlural = "etcdbackupschedules";
  ObjectMeta metadata;
  EtcdBackupScheduleSpec spec;
  EtcdBackupScheduleStatus status;
  UnknownFields unknown = {};
  bool operator==(const EtcdBackupSchedule&) const = default;
};
// Invalid argument with the path of the field that is not as the schema says.
absl::StatusOr<EtcdBackupSchedule> ParseEtcdBackupSchedule(const nlohmann::json& object);
nlohmann::json ToJson(const EtcdBackupSchedule& object);
nlohmann::json ToJson(const EtcdBackupScheduleSpec& spec);
nlohmann::json ToJson(const EtcdBackupScheduleStatus& status);

}  // namespace etcd::model
