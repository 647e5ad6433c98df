#pragma once

#include <string_view>

#include "operator/model/group_name.h"

// Labels and annotations of backups, each named only here.
namespace etcd::backup_control {

// Of a Job: the beginning of the uid of its EtcdBackup or EtcdRestore.
inline constexpr std::string_view kBackupLabel = model::kInGroup<"backup">;
inline constexpr std::string_view kBackupOfLabel =
    model::kInGroup<"backup-of">;  // of a Job: its cluster
inline constexpr std::string_view kScheduleLabel = model::kInGroup<"schedule">;  // of an EtcdBackup
inline constexpr std::string_view kRestoreAnnotation =
    model::kInGroup<"restore">;  // name of an EtcdRestore
inline constexpr std::string_view kRestoreUidAnnotation = model::kInGroup<"restore-uid">;
inline constexpr std::string_view kDataFinalizer = model::kInGroup<"backup-data">;

// A backup's steps are containers, one after the other; the last one's report is the backup's.
inline constexpr std::string_view kSnapshotContainer = "snapshot";
inline constexpr std::string_view kVerifyContainer = "verify";
inline constexpr std::string_view kWorkerContainer = "backup-worker";
inline constexpr std::string_view kRestoreContainer = "restore-worker";
inline constexpr std::string_view kStatusManager = "etcd-operator-status";
inline constexpr std::string_view kClusterManager =
    "etcd-operator-backup";  // of a cluster's status

}  // namespace etcd::backup_control
