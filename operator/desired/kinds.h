#pragma once

#include <string_view>

#include "operator/kube/resource.h"
#include "operator/model/group.h"

// Kinds, labels and annotations of our own, each named only here.
namespace etcd::desired {

inline constexpr kube::Resource kClusters{model::kGroup, model::kVersion, "etcdclusters",
                                          "EtcdCluster"};
inline constexpr kube::Resource kMembers{model::kGroup, model::kVersion, "etcdmembers",
                                         "EtcdMember"};
inline constexpr kube::Resource kBackups{model::kGroup, model::kVersion, "etcdbackups",
                                         "EtcdBackup"};
inline constexpr kube::Resource kSchedules{model::kGroup, model::kVersion, "etcdbackupschedules",
                                           "EtcdBackupSchedule"};
inline constexpr kube::Resource kRestores{model::kGroup, model::kVersion, "etcdrestores",
                                          "EtcdRestore"};

// Labels. Selectors use cluster, role and slot only.
inline constexpr std::string_view kClusterLabel = "etcdpp.dev/cluster";
inline constexpr std::string_view kMemberLabel = "etcdpp.dev/member";
inline constexpr std::string_view kSlotLabel = "etcdpp.dev/slot";
inline constexpr std::string_view kSeqLabel = "etcdpp.dev/seq";
inline constexpr std::string_view kRoleLabel = "etcdpp.dev/role";
inline constexpr std::string_view kDetachedLabel = "etcdpp.dev/detached";  // kept, never used again

inline constexpr std::string_view kVoterRole = "voter";
inline constexpr std::string_view kLearnerRole = "learner";
inline constexpr std::string_view kLeavingRole = "leaving";  // no new connections
inline constexpr std::string_view kStartingRole = "starting";

// Annotations.
inline constexpr std::string_view kClusterUidAnnotation = "etcdpp.dev/cluster-uid";  // of a volume
inline constexpr std::string_view kPodHashAnnotation = "etcdpp.dev/pod-hash";
inline constexpr std::string_view kTemplateVersionAnnotation = "etcdpp.dev/template-version";
inline constexpr std::string_view kInitialClusterAnnotation = "etcdpp.dev/initial-cluster";

// Finalizers.
inline constexpr std::string_view kClusterFinalizer = "etcdpp.dev/cluster";
inline constexpr std::string_view kMemberFinalizer = "etcdpp.dev/member";

static_assert(kClusterLabel.starts_with(model::kGroup));

}  // namespace etcd::desired
