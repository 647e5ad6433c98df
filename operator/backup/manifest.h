#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "operator/backup/retention.h"
#include "operator/model/backup.h"

// What lies beside a stored backup as `<key>.json` (operator-spec 10.1 step 7). It is written last:
// a backup without it does not exist.
namespace etcd::backup {

struct Identity {
  std::string name{};
  std::string uid{};
  bool operator==(const Identity&) const = default;
};

struct Manifest {
  std::string key{};         // of the data, behind the destination's root
  std::string created_at{};  // RFC 3339
  std::string ns{};
  std::string cluster{};
  Identity backup{};
  std::optional<Identity> schedule{};  // that made the backup
  model::BackupArtifact artifact{};
  model::BackupVerification verification{};

  bool is_verified() const;
  bool operator==(const Manifest&) const = default;
};

inline constexpr std::size_t kManifestBytesMax = 64 * 1024;

std::string WriteManifest(const Manifest& manifest);
// DataLoss when it is none, or of a format that this version does not know.
absl::StatusOr<Manifest> ParseManifest(std::string_view text);

inline constexpr std::string_view kPassed = "Passed";
inline constexpr std::string_view kFailed = "Failed";
inline constexpr std::string_view kSkipped = "Skipped";

}  // namespace etcd::backup
