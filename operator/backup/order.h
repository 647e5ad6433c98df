#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "operator/backup/manifest.h"
#include "operator/backup/retention.h"
#include "operator/model/backup.h"
#include "operator/model/member.h"

// What controllers and workers tell each other. The orders are one argument of the worker's
// container, the report is its termination message. Neither has a secret in it.
namespace etcd::backup {

// Where the controller mounts what a worker needs.
inline constexpr std::string_view kScratchDir = "/scratch";
inline constexpr std::string_view kVolumeDir = "/backup";  // of a destination or source on a PVC
inline constexpr std::string_view kKeysDir = "/etc/backup/s3";  // the credentials' Secret
inline constexpr std::string_view kCaDir = "/etc/backup/ca";    // with the key of the CA bundle

enum class OrderKind : std::uint8_t {
  kBackup,  // take it, store it, delete what retention says
  kDelete,  // remove the stored data of a backup whose object is being deleted
};

// The steps of a backup. Each is a container of its own, so that everybody sees where it stands.
enum class Stage : std::uint8_t {
  kSnapshot,  // from a member into the scratch folder
  kVerify,    // trial restore of it
  kStore,     // compress, upload, read back, delete what retention says
};
std::string_view ToText(Stage stage);
std::optional<Stage> ParseStage(std::string_view text);

struct Order {
  OrderKind kind = OrderKind::kBackup;
  model::EtcdBackup backup{};            // metadata and spec; for kDelete with artifact
  std::vector<std::string> endpoints{};  // client URLs of the members
  std::optional<Identity> schedule{};
  std::optional<model::Retention> retention{};  // of the schedule
};
std::string WriteOrder(const Order& order);
// Invalid argument; the worker and the controller are of one image, so this is a mistake of ours.
absl::StatusOr<Order> ParseOrder(std::string_view text);

struct RestoreOrder {
  bool is_trial = false;  // only whether it could be restored; peer_url and so on are empty then
  model::EtcdMember member{};  // spec.restoreFrom names an object or a file, never a backup
  std::string peer_url{};
  std::string token{};
  std::string data_dir{};
  std::string sha256{};  // of the stored bytes, when the EtcdBackup told; empty: the manifest tells
};
std::string WriteRestoreOrder(const RestoreOrder& order);
absl::StatusOr<RestoreOrder> ParseRestoreOrder(std::string_view text);

// How it went. At most kReportBytesMax as text: messages are cut.
struct Report {
  bool is_ok = false;
  std::string reason{};   // CamelCase; of a failure
  std::string message{};  // of a failure: what to do; else of what is worth telling
  bool is_final = false;  // another try cannot help
  std::optional<model::BackupArtifact> artifact{};
  std::optional<model::BackupVerification> verification{};
  std::int64_t pruned = 0;      // stored backups deleted by retention
  std::string prune_problem{};  // why not all
  std::int64_t restored_revision = 0;
};
inline constexpr std::size_t kReportBytesMax = 4096;
std::string WriteReport(const Report& report);
// DataLoss when the container ended without one.
absl::StatusOr<Report> ParseReport(std::string_view text);

RetentionPolicy PolicyOf(const model::Retention& retention);

}  // namespace etcd::backup
