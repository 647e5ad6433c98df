#include "server/image/export.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/bbolt/writer.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::image {
namespace {

using engine::Family;

constexpr std::string_view kKeyBucket = "key";

// Go's tools stop at a file without one of them.
constexpr std::array kBuckets = {engine::kBucketAlarm,          engine::kBucketAuth,
                                 engine::kBucketAuthRoles,      engine::kBucketAuthUsers,
                                 engine::kBucketCluster,        kKeyBucket,
                                 engine::kBucketLease,          engine::kBucketMembers,
                                 engine::kBucketMembersRemoved, engine::kBucketMeta};

// The ten, and what else the meta family holds; ascending.
absl::StatusOr<std::vector<std::string>> BucketsOf(const engine::View& view) {
  std::vector<std::string> names(kBuckets.begin(), kBuckets.end());
  const auto it = view.Scan(Family::kMeta, "", "");
  while (it->Valid()) {
    const std::string name(it->key().substr(0, it->key().find('\0')));
    if (name.size() == it->key().size()) return base::DataLoss("engine: a meta key without bucket");
    names.push_back(name);
    it->Seek(engine::BucketEnd(name));
  }
  RETURN_IF_ERROR(it->status());
  std::ranges::sort(names);
  const auto same = std::ranges::unique(names);
  names.erase(same.begin(), same.end());
  return names;
}

// Size of the stored KeyValue that a record of the rev family speaks of.
absl::StatusOr<std::uint64_t> StoredBytes(std::string_view revision_key, std::string_view record) {
  const auto decoded = mvcc::DecodeRevisionKey(revision_key);
  mvcc::RevRecord fields;
  if (!decoded || !mvcc::DecodeRevRecord(record, decoded->tombstone, fields)) {
    return base::DataLoss("engine: damaged record in the rev family");
  }
  if (decoded->tombstone) return mvcc::EncodedKeyValueBytes({.key = fields.key});
  return fields.encoded_bytes;
}

// One pass over a view, bucket by bucket, element by element. Without `out` it only counts, and
// reads the narrow rev family for the key bucket.
class Walk {
 public:
  Walk(const engine::View& view, const std::vector<std::string>& buckets, std::string* out)
      : view_(view), buckets_(buckets), counting_(out == nullptr), writer_(out) {}

  // False: all is written.
  absl::StatusOr<bool> Step();
  const bbolt::FileShape& shape() const { return shape_; }

 private:
  void Begin(const std::string& bucket);
  absl::Status Add();

  const engine::View& view_;
  const std::vector<std::string>& buckets_;
  const bool counting_;
  bbolt::FileWriter writer_;
  bbolt::FileShape shape_;
  std::size_t at_ = 0;                    // in buckets_
  std::unique_ptr<engine::Iterator> it_;  // over that bucket; null: not begun
};

absl::StatusOr<bool> Walk::Step() {
  if (at_ == buckets_.size()) {
    if (shape_.high_water == 0) shape_ = writer_.Finish();
    return false;
  }
  if (it_ == nullptr) Begin(buckets_[at_]);
  if (it_->Valid()) {
    RETURN_IF_ERROR(Add());
    it_->Next();
    return true;
  }
  RETURN_IF_ERROR(it_->status());
  it_.reset();
  writer_.EndBucket();
  ++at_;
  return true;
}

void Walk::Begin(const std::string& bucket) {
  writer_.BeginBucket(bucket);
  if (bucket != kKeyBucket) {
    it_ = view_.Scan(Family::kMeta, engine::BucketBegin(bucket), engine::BucketEnd(bucket));
  } else {
    it_ = view_.Scan(counting_ ? Family::kRev : Family::kKey, "", "");
  }
}

absl::Status Walk::Add() {
  const std::string& bucket = buckets_[at_];
  if (bucket == kKeyBucket) {
    if (!counting_) {
      writer_.Add(it_->key(), it_->value());
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::uint64_t bytes, StoredBytes(it_->key(), it_->value()));
    writer_.Count(it_->key(), bytes);
    return absl::OkStatus();
  }
  const std::string_view key = engine::StripBucket(bucket, it_->key());
  const bool is_ours = bucket == engine::kBucketMeta && key == engine::kMetaCurrentRevision;
  if (!is_ours) writer_.Add(key, it_->value());
  return absl::OkStatus();
}

class ImageSource final : public ports::SnapshotSource {
 public:
  explicit ImageSource(std::unique_ptr<engine::View> view) : view_(std::move(view)) {}

  absl::Status Plan() {
    ASSIGN_OR_RETURN(buckets_, BucketsOf(*view_));
    Walk plan(*view_, buckets_, nullptr);
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(more, plan.Step());
    }
    shape_ = plan.shape();
    ready_ = bbolt::MetaPages(shape_);
    walk_.emplace(*view_, buckets_, &ready_);
    return absl::OkStatus();
  }

  std::uint64_t size() const override { return shape_.bytes(); }

  absl::StatusOr<std::size_t> Read(std::span<char> buffer) override {
    if (taken_ == ready_.size()) {
      ready_.clear();
      taken_ = 0;
    }
    while (!done_ && (ready_.empty() || IsLast())) {
      ASSIGN_OR_RETURN(const bool more, walk_->Step());
      done_ = !more;
      RETURN_IF_ERROR(CheckPlan());
    }
    const std::size_t n = std::min(buffer.size(), ready_.size() - taken_);
    std::memcpy(buffer.data(), ready_.data() + taken_, n);
    taken_ += n;
    given_ += n;
    return n;
  }

 private:
  std::uint64_t finished_bytes() const { return given_ + ready_.size() - taken_; }
  // The announced size is reached: the last bytes leave only when the walk ends there too.
  bool IsLast() const { return finished_bytes() >= size(); }
  absl::Status CheckPlan() const {
    if (done_ ? finished_bytes() == size() : finished_bytes() <= size()) return absl::OkStatus();
    return base::DataLoss("engine: the key and rev families do not agree");
  }

  const std::unique_ptr<engine::View> view_;
  std::vector<std::string> buckets_;
  bbolt::FileShape shape_;
  std::optional<Walk> walk_;
  std::string ready_;  // finished pages; the first taken_ bytes are given
  std::size_t taken_ = 0;
  std::uint64_t given_ = 0;
  bool done_ = false;  // the walk
};

}  // namespace

absl::StatusOr<std::unique_ptr<ports::SnapshotSource>> ExportImage(
    std::unique_ptr<engine::View> view) {
  auto source = std::make_unique<ImageSource>(std::move(view));
  RETURN_IF_ERROR(source->Plan());
  return std::unique_ptr<ports::SnapshotSource>(std::move(source));
}

absl::Status WriteImage(std::unique_ptr<engine::View> view, base::FileSystem& file_system,
                        const std::string& path) {
  ASSIGN_OR_RETURN(const auto source, ExportImage(std::move(view)));
  ASSIGN_OR_RETURN(const auto file, file_system.Open(path, base::OpenMode::kCreateOrTruncate));
  std::string buffer(1 << 20, '\0');
  for (std::uint64_t offset = 0; offset < source->size();) {
    ASSIGN_OR_RETURN(const std::size_t n, source->Read(buffer));
    RETURN_IF_ERROR(file->WriteAt(offset, std::string_view(buffer).substr(0, n)));
    offset += n;
  }
  return file->Sync();
}

}  // namespace etcd::image
