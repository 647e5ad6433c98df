#include "server/image/import.h"

#include <memory>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "server/base/bytes.h"
#include "server/base/etcd_version.h"
#include "server/base/status.h"
#include "server/bbolt/reader.h"
#include "server/config/version.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::image {
namespace {

using engine::Family;

constexpr std::string_view kKeyBucket = "key";
constexpr std::size_t kBatchBytes = 1 << 20;

// One pass over a file; what it finds goes to `replacement`, null: nowhere.
class Import {
 public:
  Import(const bbolt::Reader& reader, engine::Replacement* replacement)
      : reader_(reader), replacement_(replacement) {}

  absl::StatusOr<ImageInfo> Run() {
    for (const bbolt::Bucket& bucket : reader_.buckets()) RETURN_IF_ERROR(Add(bucket));
    RETURN_IF_ERROR(WriteBatch());
    return info_;
  }
  absl::StatusOr<ImageInfo> Peek() {
    for (const bbolt::Bucket& bucket : reader_.buckets()) {
      const bool is_known = bucket.name == engine::kBucketMeta ||
                            bucket.name == engine::kBucketCluster ||
                            bucket.name == engine::kBucketAuth;
      if (is_known) RETURN_IF_ERROR(Add(bucket));
    }
    return info_;
  }

 private:
  absl::Status Add(const bbolt::Bucket& bucket);
  absl::Status AddRecord(const bbolt::Cursor& at);
  absl::Status AddMeta(const std::string& bucket, const bbolt::Cursor& at);
  absl::Status NoteMeta(const bbolt::Cursor& at);
  absl::StatusOr<std::uint64_t> Number(const bbolt::Cursor& at) const;
  absl::Status WriteBatch();

  const bbolt::Reader& reader_;
  engine::Replacement* const replacement_;
  engine::WriteBatch batch_;
  ImageInfo info_;
};

absl::Status Import::Add(const bbolt::Bucket& bucket) {
  if (bucket.name.find('\0') != std::string::npos) {
    return reader_.Damage(bucket.root, "the name of a bucket has a zero byte");
  }
  const bool is_key = bucket.name == kKeyBucket;
  ASSIGN_OR_RETURN(const auto cursor, reader_.Scan(bucket));
  while (cursor->Valid()) {
    RETURN_IF_ERROR(is_key ? AddRecord(*cursor) : AddMeta(bucket.name, *cursor));
    if (batch_.bytes() >= kBatchBytes) RETURN_IF_ERROR(WriteBatch());
    RETURN_IF_ERROR(cursor->Next());
  }
  return absl::OkStatus();
}

absl::Status Import::AddRecord(const bbolt::Cursor& at) {
  if (!mvcc::AppendImportedRecord(batch_, at.key(), at.value())) {
    return reader_.Damage(at.page(), "the key bucket has an entry that is no record of etcd");
  }
  ++info_.records;
  info_.last_revision = mvcc::DecodeRevisionKey(at.key())->revision.main;
  return absl::OkStatus();
}

absl::Status Import::AddMeta(const std::string& bucket, const bbolt::Cursor& at) {
  if (bucket == engine::kBucketMeta) {
    // Ours alone: what the file says of its revisions is in its records and marks.
    if (at.key() == engine::kMetaCurrentRevision) return absl::OkStatus();
    RETURN_IF_ERROR(NoteMeta(at));
  } else if (bucket == engine::kBucketCluster && at.key() == "clusterVersion") {
    info_.cluster_version = std::string(at.value());
  } else if (bucket == engine::kBucketAuth && at.key() == "authEnabled") {
    info_.auth_enabled = at.value() == "\x01";
  }
  batch_.Put(Family::kMeta, engine::MetaKey(bucket, at.key()), std::string(at.value()));
  return absl::OkStatus();
}

absl::Status Import::NoteMeta(const bbolt::Cursor& at) {
  if (at.key() == engine::kMetaConsistentIndex) {
    ASSIGN_OR_RETURN(const std::uint64_t index, Number(at));
    info_.consistent_index = Index(index);
  } else if (at.key() == engine::kMetaTerm) {
    ASSIGN_OR_RETURN(const std::uint64_t term, Number(at));
    info_.term = Term(term);
  } else if (at.key() == engine::kMetaStorageVersion) {
    info_.storage_version = std::string(at.value());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> Import::Number(const bbolt::Cursor& at) const {
  if (at.value().size() == 8) return base::LoadBigEndian64(at.value().data());
  return reader_.Damage(at.page(), std::string(at.key()) + " is not a number of 8 bytes");
}

absl::Status Import::WriteBatch() {
  if (replacement_ != nullptr && !batch_.empty()) {
    RETURN_IF_ERROR(replacement_->Write(batch_));
  }
  batch_.Clear();
  return absl::OkStatus();
}

bool IsSupported(const std::string& version) {
  if (version.empty()) return true;
  const int minor = base::MinorOf(version);
  return minor >= 0 && minor <= base::MinorOf(config::kEtcdClusterVersion);
}

absl::StatusOr<ImageInfo> ReadImage(base::FileSystem& file_system, const std::string& path,
                                    engine::Replacement* replacement) {
  ASSIGN_OR_RETURN(const auto reader, bbolt::Reader::Open(file_system, path));
  return Import(*reader, replacement).Run();
}

}  // namespace

absl::StatusOr<ImageInfo> PeekImage(base::FileSystem& file_system, const std::string& path) {
  ASSIGN_OR_RETURN(const auto reader, bbolt::Reader::Open(file_system, path));
  return Import(*reader, nullptr).Peek();
}

absl::Status CheckVersions(const std::string& path, const ImageInfo& info) {
  const auto refused = [&](std::string_view what, const std::string& version) {
    return base::MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        fmt::format("{}: {} version {} is not supported; this etcd goes up to {}", path, what,
                    version, config::kEtcdClusterVersion));
  };
  if (!IsSupported(info.storage_version)) return refused("storage", info.storage_version);
  if (!IsSupported(info.cluster_version)) return refused("cluster", info.cluster_version);
  return absl::OkStatus();
}

absl::StatusOr<ImageInfo> VerifyImage(base::FileSystem& file_system, const std::string& path) {
  return ReadImage(file_system, path, nullptr);
}

absl::StatusOr<ImageInfo> ImportImage(base::FileSystem& file_system, const std::string& path,
                                      engine::Replacement& replacement) {
  return ReadImage(file_system, path, &replacement);
}

absl::StatusOr<ImageInfo> InstallImage(base::FileSystem& file_system, const std::string& path,
                                       engine::KvEngine& engine) {
  ASSIGN_OR_RETURN(const auto replacement, engine.StartReplacement());
  ASSIGN_OR_RETURN(ImageInfo info, ImportImage(file_system, path, *replacement));
  RETURN_IF_ERROR(replacement->Commit());
  return info;
}

}  // namespace etcd::image
