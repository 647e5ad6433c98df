#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "operator/backup/retention.h"

// Names of stored backups and of what schedules make (operator-spec 10.2, 10.4). Pure.
namespace etcd::backup {

// "<namespace>/<cluster>/": where the backups of a cluster are, behind the destination's prefix.
std::string FolderOf(std::string_view ns, std::string_view cluster);

struct ArtifactName {
  WallTime at{};  // to the second
  std::int64_t revision = 0;
  std::string uid_part{};  // first 8 characters of the EtcdBackup's uid
  bool is_zstd = false;
};
// "20261121T201500Z-4711-0f9b2c1d.snap.zst"
std::string FileNameOf(const ArtifactName& name);
// Nothing when it is not such a name.
std::optional<ArtifactName> ParseFileName(std::string_view file);

std::string UidPart(std::string_view uid);

inline constexpr std::string_view kManifestSuffix = ".json";

// EtcdBackup that a schedule makes for a time: the same for the same minute, so that making it
// twice is found out.
std::string BackupNameOf(std::string_view schedule, WallTime at);

// Job of one try of a backup: "<backup>-<try>", cut so that pods can be named after it.
std::string JobNameOf(std::string_view backup, std::string_view uid, int attempt);

// "10m", "1h30m", "0s", "500ms", as Kubernetes writes them. Nothing when it is none.
std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text);

}  // namespace etcd::backup
