#pragma once

#include <string_view>

#include "operator/kube/resource.h"
#include "operator/model/group.h"
#include "operator/model/group_name.h"

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
inline constexpr std::string_view kClusterLabel = model::kInGroup<"cluster">;
inline constexpr std::string_view kMemberLabel = model::kInGroup<"member">;
inline constexpr std::string_view kSlotLabel = model::kInGroup<"slot">;
inline constexpr std::string_view kSeqLabel = model::kInGroup<"seq">;
inline constexpr std::string_view kRoleLabel = model::kInGroup<"role">;
inline constexpr std::string_view kDetachedLabel =
    model::kInGroup<"detached">;  // kept, never used again

inline constexpr std::string_view kVoterRole = "voter";
inline constexpr std::string_view kLearnerRole = "learner";
inline constexpr std::string_view kLeavingRole = "leaving";  // no new connections
inline constexpr std::string_view kStartingRole = "starting";

// Annotations.
inline constexpr std::string_view kClusterUidAnnotation =
    model::kInGroup<"cluster-uid">;  // of a volume
inline constexpr std::string_view kPodHashAnnotation = model::kInGroup<"pod-hash">;
inline constexpr std::string_view kTemplateVersionAnnotation = model::kInGroup<"template-version">;
inline constexpr std::string_view kInitialClusterAnnotation = model::kInGroup<"initial-cluster">;

// Users set these to "true": the operator only observes the cluster; the member is replaced.
inline constexpr std::string_view kPausedAnnotation = model::kInGroup<"paused">;
inline constexpr std::string_view kReplaceAnnotation = model::kInGroup<"replace">;

// Finalizers.
inline constexpr std::string_view kClusterFinalizer = model::kInGroup<"cluster">;
inline constexpr std::string_view kMemberFinalizer = model::kInGroup<"member">;

}  // namespace etcd::desired
