#include "operator/backup_control/restore_init.h"

#include <utility>

#include <fmt/format.h>

#include "operator/backup/manifest.h"
#include "operator/desired/kinds.h"
#include "operator/model/backup.h"
#include "server/base/status.h"

namespace etcd::backup_control {
namespace {

using kube::ApiErrc;
using Phase = model::EtcdBackupStatusPhase;

absl::Status Unusable(std::string_view why) {
  return base::MakeStatus(absl::StatusCode::kFailedPrecondition, why);
}

absl::StatusOr<StoredAt> Resolve(kube::Client& client, const std::string& ns,
                                 const model::RestoreSource& from) {
  if (!from.backup_ref) return StoredAt{.source = from};
  const auto object = client.Get(desired::kBackups, {ns, from.backup_ref->name});
  if (kube::Is(object.status(), ApiErrc::kNotFound)) {
    return Unusable(
        fmt::format("there is no EtcdBackup {} in this namespace; name another one, or "
                    "the stored object by s3 or pvc",
                    from.backup_ref->name));
  }
  RETURN_IF_ERROR(object.status());
  ASSIGN_OR_RETURN(const model::EtcdBackup backup, model::ParseEtcdBackup(object->json()));
  return FindStored(backup);
}

}  // namespace

absl::StatusOr<StoredAt> FindStored(const model::EtcdBackup& backup) {
  const std::string& name = backup.metadata.name;
  const auto& artifact = backup.status.artifact;
  if (backup.status.phase != Phase::kCompleted || !artifact || !artifact->uri ||
      !artifact->sha256) {
    return Unusable(
        fmt::format("EtcdBackup {} has not stored anything; wait until it is Completed, "
                    "or use another one",
                    name));
  }
  if (backup.status.verification && backup.status.verification->result == backup::kFailed) {
    return Unusable(fmt::format("EtcdBackup {} failed its trial restore; use another one", name));
  }
  StoredAt stored{.source = {}, .sha256 = *artifact->sha256};
  const model::BackupDestination& destination = backup.spec.destination;
  const std::string root = destination.s3    ? fmt::format("s3://{}/", destination.s3->bucket)
                           : destination.pvc ? fmt::format("pvc://{}/", destination.pvc->claim_name)
                                             : "";
  if (root.empty() || !artifact->uri->starts_with(root) || artifact->uri->size() == root.size()) {
    return Unusable(
        fmt::format("EtcdBackup {} says that it lies in {}, which is not within its "
                    "destination",
                    name, *artifact->uri));
  }
  const std::string key = artifact->uri->substr(root.size());
  if (destination.s3) {
    stored.source.s3.emplace();
    static_cast<model::S3Location&>(*stored.source.s3) = *destination.s3;
    stored.source.s3->prefix.reset();  // the key has it
    stored.source.s3->key = key;
  } else {
    stored.source.pvc = model::VolumePath{.claim_name = destination.pvc->claim_name};
    stored.source.pvc->path = key;
  }
  return stored;
}

absl::StatusOr<RestoreParts> RestoreInit(kube::Client& client, const RestoreRequest& request) {
  if (request.restore_from.bump_revision > 0 && !request.restore_from.mark_compacted) {
    return Unusable("bumpRevision needs markCompacted: true; or set bumpRevision to 0");
  }
  ASSIGN_OR_RETURN(const StoredAt stored, Resolve(client, request.ns, request.restore_from.from));
  backup::RestoreOrder order;
  order.member.metadata.name = request.member;
  order.member.metadata.namespace_ = request.ns;
  order.member.spec.restore_from = request.restore_from;
  order.member.spec.restore_from->from = stored.source;
  order.peer_url = request.peer_url;
  order.token = request.token;
  order.data_dir = request.data_dir;
  order.sha256 = stored.sha256;
  Mounts mounts = MountsOf(DestinationOf(stored.source), true);
  RestoreParts parts;
  parts.init_container =
      RestoreContainer(order, mounts, request.data_volume, request.data_mount, request.pod);
  parts.volumes = std::move(mounts.volumes);
  return parts;
}

}  // namespace etcd::backup_control
