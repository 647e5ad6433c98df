#include "operator/backup/manifest.h"

#include <nlohmann/json.hpp>

#include "operator/kube/json.h"
#include "operator/kube/times.h"
#include "operator/model/group.h"
#include "server/base/status.h"

namespace etcd::backup {
namespace {

constexpr int kFormat = 1;
constexpr std::string_view kKind = "BackupManifest";

kube::Json JsonOf(const Identity& identity) {
  return {{"name", identity.name}, {"uid", identity.uid}};
}

Identity IdentityAt(const kube::Json& json, std::string_view name) {
  return {.name = std::string(kube::TextAt(json, {name, "name"})),
          .uid = std::string(kube::TextAt(json, {name, "uid"}))};
}

}  // namespace

bool Manifest::is_verified() const { return verification.result == kPassed; }

std::string WriteManifest(const Manifest& manifest) {
  // Artifact and verification as in the status of the EtcdBackup.
  const kube::Json status = model::ToJson(model::EtcdBackupStatus{
      .artifact = manifest.artifact, .verification = manifest.verification});
  kube::Json json = {{"kind", kKind},
                     {"format", kFormat},
                     {"key", manifest.key},
                     {"createdAt", manifest.created_at},
                     {"namespace", manifest.ns},
                     {"cluster", manifest.cluster},
                     {"backup", JsonOf(manifest.backup)}};
  if (manifest.schedule) json["schedule"] = JsonOf(*manifest.schedule);
  json.update(status);
  return kube::DumpJson(json) + "\n";
}

absl::StatusOr<Manifest> ParseManifest(std::string_view text) {
  if (text.size() > kManifestBytesMax) return base::DataLoss("a manifest that is too large");
  const auto json = kube::ParseJson(text);
  if (!json.ok() || !json->is_object() || kube::TextAt(*json, {"kind"}) != kKind) {
    return base::DataLoss("no manifest of a backup");
  }
  if (kube::IntAt(*json, {"format"}) != kFormat) {
    return base::DataLoss("a manifest of a format that this version does not know");
  }
  kube::Json status = kube::Json::object();
  for (const char* const field : {"artifact", "verification"}) {
    if (json->contains(field)) status[field] = (*json)[field];
  }
  const auto carrier = model::ParseEtcdBackup({{"apiVersion", model::kApiVersion},
                                               {"kind", model::EtcdBackup::kKind},
                                               {"status", std::move(status)}});
  if (!carrier.ok()) return base::DataLoss(base::MessageOf(carrier.status()));
  Manifest manifest{.key = std::string(kube::TextAt(*json, {"key"})),
                    .created_at = std::string(kube::TextAt(*json, {"createdAt"})),
                    .ns = std::string(kube::TextAt(*json, {"namespace"})),
                    .cluster = std::string(kube::TextAt(*json, {"cluster"})),
                    .backup = IdentityAt(*json, "backup")};
  if (json->contains("schedule")) manifest.schedule = IdentityAt(*json, "schedule");
  if (carrier->status.artifact) manifest.artifact = *carrier->status.artifact;
  if (carrier->status.verification) manifest.verification = *carrier->status.verification;
  if (manifest.key.empty() || !kube::ParseTime(manifest.created_at).ok() ||
      !manifest.artifact.sha256) {
    return base::DataLoss("a manifest without key, time or SHA-256");
  }
  return manifest;
}

}  // namespace etcd::backup
