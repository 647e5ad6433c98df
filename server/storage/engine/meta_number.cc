#include "server/storage/engine/meta_number.h"

#include <string>

#include "server/base/bytes.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"

namespace etcd::engine {

absl::StatusOr<std::uint64_t> ReadMetaNumber(const KvEngine& engine, std::string_view key) {
  ASSIGN_OR_RETURN(const auto bytes, engine.Get(Family::kMeta, MetaKey(kBucketMeta, key)));
  if (!bytes.has_value()) return 0;
  if (bytes->size() != 8) return base::DataLoss(std::string(key) + " in the backend is damaged");
  return base::LoadBigEndian64(bytes->data());
}

}  // namespace etcd::engine
