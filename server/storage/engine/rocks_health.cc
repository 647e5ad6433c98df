#include "server/storage/engine/rocks_health.h"

#include <string>

namespace etcd::engine {

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = "storage engine: " + status.ToString();
  if (status.IsCorruption()) return base::DataLoss(text);
  if (status.IsNoSpace()) {
    return base::MakeStatus(absl::StatusCode::kResourceExhausted, text);
  }
  return base::MakeStatus(absl::StatusCode::kInternal, text);
}

absl::Status ToReadStatus(const rocksdb::Status& status, Health& health) {
  absl::Status result = ToStatus(status);
  if (status.IsCorruption() || status.IsIOError()) health.Fail(result);
  return result;
}

}  // namespace etcd::engine
