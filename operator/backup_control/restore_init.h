#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "operator/backup_control/pod_parts.h"
#include "operator/kube/client.h"
#include "operator/model/cluster.h"

namespace etcd::backup_control {

// A seed that starts with data.
struct RestoreRequest {
  std::string ns{};
  model::Bootstrap restore_from{};
  std::string member{};  // name of the member
  std::string peer_url{};
  std::string token{};        // of the new cluster
  std::string data_volume{};  // name of the pod's volume
  std::string data_mount{};   // where it is mounted
  std::string data_dir{};     // below that
  PodOptions pod{};
};

// For the seed's pod: the container to be run before the server, and the volumes that it needs. It
// does nothing when the data directory has a member.
struct RestoreParts {
  Json init_container{};
  Json volumes{};  // a list
};

// Looks the EtcdBackup up when the source is one. An error that is none of the API server's is a
// sentence about what is wrong with the source.
absl::StatusOr<RestoreParts> RestoreInit(kube::Client& client, const RestoreRequest& request);

// The stored object behind a completed EtcdBackup. FailedPrecondition when it has none, or one that
// failed its trial restore.
struct StoredAt {
  model::RestoreSource source{};  // s3 or pvc
  std::string sha256{};
};
absl::StatusOr<StoredAt> FindStored(const model::EtcdBackup& backup);

}  // namespace etcd::backup_control
