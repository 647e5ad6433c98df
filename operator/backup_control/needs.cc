#include "operator/backup_control/needs.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "operator/desired/kinds.h"
#include "operator/model/cluster.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;

absl::StatusOr<std::string> MissingOfBucket(kube::Client& client, const std::string& ns,
                                            const model::S3Location& s3, const std::string& field) {
  std::string missing;
  if (s3.credentials_secret_ref) {
    ASSIGN_OR_RETURN(missing,
                     MissingObject(client, kube::kSecrets, {ns, s3.credentials_secret_ref->name},
                                   field + ".s3.credentialsSecretRef"));
  }
  if (!missing.empty() || !s3.ca_bundle) return missing;
  const auto& map = s3.ca_bundle->config_map;
  const auto& secret = s3.ca_bundle->secret;
  if (!map && !secret) return missing;
  return MissingObject(client, map ? kube::kConfigMaps : kube::kSecrets,
                       {ns, map ? map->name : secret->name}, field + ".s3.caBundle");
}

}  // namespace

absl::StatusOr<std::string> MissingObject(kube::Client& client, const kube::Resource& resource,
                                          const kube::ObjectKey& key, std::string_view field) {
  const auto object = client.Get(resource, key);
  if (kube::Is(object.status(), ApiErrc::kNotFound)) {
    return fmt::format("there is no {} {} in this namespace; create it, or correct {}",
                       resource.kind, key.name, field);
  }
  RETURN_IF_ERROR(object.status());
  return std::string();
}

absl::StatusOr<std::string> MissingPart(kube::Client& client, const std::string& ns,
                                        const model::BackupDestination& destination,
                                        const std::string& field) {
  if (destination.s3) return MissingOfBucket(client, ns, *destination.s3, field);
  if (!destination.pvc) return std::string();
  return MissingObject(client, kube::kVolumeClaims, {ns, destination.pvc->claim_name},
                       field + ".pvc");
}

absl::StatusOr<std::vector<model::LocalReference>> PullSecretsOf(kube::Client& client,
                                                                 const kube::ObjectKey& cluster) {
  std::vector<model::LocalReference> none;
  const auto object = client.Get(desired::kClusters, cluster);
  if (kube::Is(object.status(), ApiErrc::kNotFound)) return none;
  RETURN_IF_ERROR(object.status());
  const auto parsed = model::ParseEtcdCluster(object->json());
  if (!parsed.ok() || !parsed->spec.image) return none;  // its own controller tells
  return parsed->spec.image->pull_secrets;
}

absl::StatusOr<std::optional<kube::Json>> PodOf(kube::Client& client, const kube::Object& job) {
  ASSIGN_OR_RETURN(
      const kube::ObjectList pods,
      client.List(kube::kPods, {.ns = job.ns(), .label_selector = "job-name=" + job.name()}));
  for (const kube::Object& pod : pods.items) {
    if (pod.controller_uid() == job.uid()) return std::optional<kube::Json>(pod.json());
  }
  return std::optional<kube::Json>();
}

}  // namespace etcd::backup_control
