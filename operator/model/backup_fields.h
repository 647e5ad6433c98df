// Generated from operator/api/backup.yaml by operator/api/generate.py; do not edit.

#pragma once

#include "operator/model/backup.h"
#include "operator/model/codec.h"
#include "operator/model/shared_fields.h"

namespace etcd::model {

template <>
struct EnumNames<BackupSource> {
  static constexpr std::string_view kNames[] = {"Follower", "Leader", "Any"};
};

template <>
struct EnumNames<Compression> {
  static constexpr std::string_view kNames[] = {"Zstd", "None", "Gzip"};
};

template <>
struct EnumNames<Verification> {
  static constexpr std::string_view kNames[] = {"TrialRestore", "Hash", "None"};
};

template <>
struct EnumNames<ReadBack> {
  static constexpr std::string_view kNames[] = {"Auto", "Always"};
};

template <>
struct Fields<ForeignEndpoints> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("urls", self.urls);
    archive.Field("tlsSecretRef", self.tls_secret_ref);
    archive.Field("authSecretRef", self.auth_secret_ref);
  }
};

template <>
struct Fields<BackupDestination> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("s3", self.s3);
    archive.Field("pvc", self.pvc);
  }
};

template <>
struct Fields<BackupTemplate> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("destination", self.destination);
    archive.Field("source", self.source);
    archive.Field("compression", self.compression);
    archive.Field("encryption", self.encryption);
    archive.Field("verify", self.verify);
    archive.Field("readBack", self.read_back);
    archive.Field("timeout", self.timeout);
    archive.Field("retries", self.retries);
    archive.Field("resources", self.resources);
  }
};

template <>
struct EnumNames<EtcdBackupSpecDeletionPolicy> {
  static constexpr std::string_view kNames[] = {"Retain", "Delete"};
};

template <>
struct Fields<EtcdBackupSpec> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    Fields<BackupTemplate>::Visit(archive, self);
    archive.Field("clusterRef", self.cluster_ref);
    archive.Field("endpoints", self.endpoints);
    archive.Field("ttlSecondsAfterFinished", self.ttl_seconds_after_finished);
    archive.Field("deletionPolicy", self.deletion_policy);
  }
};

template <>
struct EnumNames<EtcdBackupStatusPhase> {
  static constexpr std::string_view kNames[] = {"Pending",   "Running",   "Uploading",
                                                "Verifying", "Completed", "Failed"};
};

template <>
struct Fields<BackupArtifact> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("uri", self.uri);
    archive.Field("size", self.size);
    archive.Field("storedSize", self.stored_size);
    archive.Field("sha256", self.sha256);
    archive.Field("revision", self.revision);
    archive.Field("totalKeys", self.total_keys);
    archive.Field("hashKV", self.hash_kv);
    archive.Field("etcdVersion", self.etcd_version);
    archive.Field("clusterID", self.cluster_id);
    archive.Field("memberID", self.member_id);
    archive.Field("format", self.format);
  }
};

template <>
struct Fields<BackupVerification> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("method", self.method);
    archive.Field("result", self.result);
    archive.Field("at", self.at);
  }
};

template <>
struct Fields<EtcdBackupStatus> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("phase", self.phase);
    archive.Field("startTime", self.start_time);
    archive.Field("completionTime", self.completion_time);
    archive.Field("attempt", self.attempt);
    archive.Field("job", self.job);
    archive.Field("artifact", self.artifact);
    archive.Field("verification", self.verification);
    archive.Field("message", self.message);
    archive.Field("observedGeneration", self.observed_generation);
    archive.Field("conditions", self.conditions);
  }
};

template <>
struct EnumNames<EtcdBackupScheduleSpecConcurrencyPolicy> {
  static constexpr std::string_view kNames[] = {"Forbid", "Allow", "Replace"};
};

template <>
struct Fields<Retention> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("keepLast", self.keep_last);
    archive.Field("keepDaily", self.keep_daily);
    archive.Field("keepWeekly", self.keep_weekly);
    archive.Field("keepMonthly", self.keep_monthly);
    archive.Field("maxAge", self.max_age);
    archive.Field("minKeep", self.min_keep);
    archive.Field("unverifiedMaxAge", self.unverified_max_age);
  }
};

template <>
struct Fields<EtcdBackupScheduleSpec> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("clusterRef", self.cluster_ref);
    archive.Field("schedule", self.schedule);
    archive.Field("timeZone", self.time_zone);
    archive.Field("jitter", self.jitter);
    archive.Field("suspend", self.suspend);
    archive.Field("immediate", self.immediate);
    archive.Field("concurrencyPolicy", self.concurrency_policy);
    archive.Field("startingDeadlineSeconds", self.starting_deadline_seconds);
    archive.Field("template", self.template_);
    archive.Field("retention", self.retention);
    archive.Field("successfulHistoryLimit", self.successful_history_limit);
    archive.Field("failedHistoryLimit", self.failed_history_limit);
  }
};

template <>
struct Fields<EtcdBackupScheduleStatus> {
  template <class Archive, class Self>
  static void Visit(Archive& archive, Self& self) {
    archive.Field("observedGeneration", self.observed_generation);
    archive.Field("lastScheduleTime", self.last_schedule_time);
    archive.Field("nextScheduleTime", self.next_schedule_time);
    archive.Field("lastSuccessfulTime", self.last_successful_time);
    archive.Field("lastVerifiedTime", self.last_verified_time);
    archive.Field("active", self.active);
    archive.Field("consecutiveFailures", self.consecutive_failures);
    archive.Field("missedSchedules", self.missed_schedules);
    archive.Field("conditions", self.conditions);
  }
};

}  // namespace etcd::model
