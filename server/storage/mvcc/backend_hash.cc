#include "server/storage/mvcc/backend_hash.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/bytes.h"
#include "server/base/crc32c.h"
#include "server/base/status.h"
#include "server/storage/engine/buckets.h"

namespace etcd::mvcc {
namespace {

using engine::Family;

// All buckets but "key" are in the meta family.
constexpr std::string_view kKeyBucket = "key";
constexpr std::array<std::string_view, 10> kBuckets = {
    engine::kBucketAlarm,     engine::kBucketAuth,    engine::kBucketAuthRoles,
    engine::kBucketAuthUsers, engine::kBucketCluster, kKeyBucket,
    engine::kBucketLease,     engine::kBucketMembers, engine::kBucketMembersRemoved,
    engine::kBucketMeta};
static_assert(std::ranges::is_sorted(kBuckets));

// Of the meta bucket: what differs between members of equal state, as in etcd, and what etcd's
// file does not have.
constexpr std::array<std::string_view, 4> kSkipped = {
    engine::kMetaConsistentIndex, engine::kMetaTerm, engine::kMetaStorageVersion,
    engine::kMetaCurrentRevision};

class Hasher {
 public:
  explicit Hasher(const engine::View& view)
      : view_(view), meta_(view.Scan(Family::kMeta, "", "")) {}

  absl::StatusOr<BackendHash> Run() {
    ASSIGN_OR_RETURN(const Revision current, CurrentRevision());
    for (const std::string_view bucket : kBuckets) {
      Add(bucket);
      RETURN_IF_ERROR(bucket == kKeyBucket ? AddKeys() : AddBucket(bucket));
    }
    return BackendHash{crc_, current};
  }

 private:
  void Add(std::string_view bytes) { crc_ = base::UpdateCrc32c(crc_, bytes); }

  absl::StatusOr<Revision> CurrentRevision() {
    const std::string key = engine::MetaKey(engine::kBucketMeta, engine::kMetaCurrentRevision);
    meta_->Seek(key);
    RETURN_IF_ERROR(meta_->status());
    if (!meta_->Valid() || meta_->key() != key) return Revision(1);
    if (meta_->value().size() != 8) return base::DataLoss("mvcc: damaged current revision");
    return Revision(static_cast<std::int64_t>(base::LoadBigEndian64(meta_->value().data())));
  }

  absl::Status AddBucket(std::string_view bucket) {
    const std::string end = engine::BucketEnd(bucket);
    for (meta_->Seek(engine::BucketBegin(bucket)); meta_->Valid() && meta_->key() < end;
         meta_->Next()) {
      const std::string_view key = engine::StripBucket(bucket, meta_->key());
      if (bucket == engine::kBucketMeta && std::ranges::count(kSkipped, key) > 0) continue;
      Add(key);
      Add(meta_->value());
    }
    return meta_->status();
  }

  absl::Status AddKeys() {
    const auto it = view_.Scan(Family::kKey, "", "");
    for (; it->Valid(); it->Next()) {
      Add(it->key());
      Add(it->value());
    }
    return it->status();
  }

  const engine::View& view_;
  const std::unique_ptr<engine::Iterator> meta_;
  std::uint32_t crc_ = 0;
};

}  // namespace

absl::StatusOr<BackendHash> HashBackend(const engine::KvEngine& engine) {
  const std::unique_ptr<engine::View> view = engine.PinView();
  return Hasher(*view).Run();
}

}  // namespace etcd::mvcc
