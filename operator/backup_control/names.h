#pragma once

#include <string_view>

// Labels and annotations of backups, each named only here.
namespace etcd::backup_control {

inline constexpr std::string_view kBackupLabel = "etcdpp.dev/backup";  // of a Job: its EtcdBackup
inline constexpr std::string_view kScheduleLabel = "etcdpp.dev/schedule";  // of an EtcdBackup
inline constexpr std::string_view kRestoreAnnotation =
    "etcdpp.dev/restore";  // name of an EtcdRestore
inline constexpr std::string_view kRestoreUidAnnotation = "etcdpp.dev/restore-uid";
inline constexpr std::string_view kDataFinalizer = "etcdpp.dev/backup-data";

inline constexpr std::string_view kWorkerContainer = "backup-worker";
inline constexpr std::string_view kRestoreContainer = "restore-worker";
inline constexpr std::string_view kStatusManager = "etcd-operator-status";
inline constexpr std::string_view kClusterManager =
    "etcd-operator-backup";  // of a cluster's status

}  // namespace etcd::backup_control
