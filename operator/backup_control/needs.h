#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "operator/kube/client.h"
#include "operator/kube/json.h"
#include "operator/model/backup.h"

// What the pods of workers need, as it is in the API server now.
namespace etcd::backup_control {

// A sentence about the first thing of a destination or source that is not there; empty when all
// is. `field` is its path in the spec, for people.
absl::StatusOr<std::string> MissingPart(kube::Client& client, const std::string& ns,
                                        const model::BackupDestination& destination,
                                        const std::string& field);
// The same for one object.
absl::StatusOr<std::string> MissingObject(kube::Client& client, const kube::Resource& resource,
                                          const kube::ObjectKey& key, std::string_view field);

// With what the image of a cluster is pulled; none when there is no such cluster.
absl::StatusOr<std::vector<model::LocalReference>> PullSecretsOf(kube::Client& client,
                                                                 const kube::ObjectKey& cluster);

// The pod of a Job; there is one at most, since it tries once.
absl::StatusOr<std::optional<kube::Json>> PodOf(kube::Client& client, const kube::Object& job);

}  // namespace etcd::backup_control
