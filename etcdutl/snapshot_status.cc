#include "etcdutl/snapshot_status.h"

#include <algorithm>
#include <string_view>

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>
#include <fmt/format.h>

#include "server/base/crc32c.h"
#include "server/base/status.h"
#include "server/bbolt/reader.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::etcdutl {
namespace {

constexpr std::string_view kKeyBucket = "key";

// The marks of compactions, whose bucket comes after the records that they are about.
struct Marks {
  Revision scheduled;
  Revision finished;
  std::string version;
};

absl::StatusOr<Marks> ReadMarks(const bbolt::Reader& reader) {
  Marks marks;
  for (const bbolt::Bucket& bucket : reader.buckets()) {
    if (bucket.name != engine::kBucketMeta) continue;
    ASSIGN_OR_RETURN(const auto cursor, reader.Scan(bucket));
    while (cursor->Valid()) {
      const auto revision = mvcc::DecodeRevisionKey(cursor->value());
      if (cursor->key() == engine::kMetaScheduledCompactRev && revision) {
        marks.scheduled = revision->revision.main;
      } else if (cursor->key() == engine::kMetaFinishedCompactRev && revision) {
        marks.finished = revision->revision.main;
      } else if (cursor->key() == engine::kMetaStorageVersion) {
        marks.version = std::string(cursor->value());
      }
      RETURN_IF_ERROR(cursor->Next());
    }
  }
  return marks;
}

// Counts the keys that are alive at the end of their history without remembering them: a history
// begins with a put of version 1 and ends with a tombstone. What is not newer than a finished
// compaction is a key's only record of that age. Where a compaction was half done either may be
// missing, so these keys are remembered, by a hash.
class LiveKeys {
 public:
  explicit LiveKeys(const Marks& marks)
      : finished_(marks.finished), scheduled_(std::max(marks.scheduled, marks.finished)) {}

  void Put(Revision at, std::string_view key, std::int64_t version) {
    if (key.empty()) {
      has_empty_ = true;  // of a bumped revision, however many there are
    } else if (IsHalfDone(at)) {
      old_.insert(Fingerprint(key));
    } else if (at <= scheduled_ || version == 1) {
      ++count_;
    }
  }
  void Delete(Revision at, std::string_view key) {
    if (IsHalfDone(at)) {
      old_.erase(Fingerprint(key));
    } else if (at > scheduled_) {
      --count_;
    }
  }
  std::int64_t count() const {
    return count_ + static_cast<std::int64_t>(old_.size()) + (has_empty_ ? 1 : 0);
  }
  bool has_empty() const { return has_empty_; }

 private:
  static std::size_t Fingerprint(std::string_view key) { return absl::HashOf(base::ToAbsl(key)); }
  bool IsHalfDone(Revision at) const { return scheduled_ > finished_ && at <= scheduled_; }

  const Revision finished_;
  const Revision scheduled_;
  std::int64_t count_ = 0;
  bool has_empty_ = false;
  absl::flat_hash_set<std::size_t> old_;
};

absl::Status CountRecord(const bbolt::Reader& reader, const bbolt::Cursor& at, LiveKeys& keys,
                         SnapshotStatus& out) {
  const auto decoded = mvcc::DecodeRevisionKey(at.key());
  mvcc::KeyValueFields fields;
  if (!decoded || !mvcc::DecodeKeyValue(at.value(), fields)) {
    return reader.Damage(at.page(), "the key bucket has an entry that is no record of etcd");
  }
  out.revision = decoded->revision.main.value();
  if (decoded->tombstone) {
    keys.Delete(decoded->revision.main, fields.key);
  } else {
    keys.Put(decoded->revision.main, fields.key, fields.version);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SnapshotStatus> ReadSnapshotStatus(base::FileSystem& file_system,
                                                  const std::string& path) {
  const auto opened = bbolt::Reader::Open(file_system, path);
  if (absl::IsDataLoss(opened.status())) {
    return base::DataLoss(fmt::format("invalid database ({})", base::MessageOf(opened.status())));
  }
  RETURN_IF_ERROR(opened.status());
  const bbolt::Reader* const reader = opened->get();
  ASSIGN_OR_RETURN(const Marks marks, ReadMarks(*reader));
  SnapshotStatus out;
  out.version = marks.version;
  out.total_bytes =
      static_cast<std::int64_t>(reader->meta().high_water * reader->meta().page_bytes);
  LiveKeys keys(marks);
  for (const bbolt::Bucket& bucket : reader->buckets()) {
    out.hash = base::UpdateCrc32c(out.hash, bucket.name);
    ASSIGN_OR_RETURN(const auto cursor, reader->Scan(bucket));
    while (cursor->Valid()) {
      out.hash = base::UpdateCrc32c(out.hash, cursor->key());
      out.hash = base::UpdateCrc32c(out.hash, cursor->value());
      if (bucket.name == kKeyBucket) {
        RETURN_IF_ERROR(CountRecord(*reader, *cursor, keys, out));
      }
      RETURN_IF_ERROR(cursor->Next());
    }
  }
  out.total_keys = keys.count();
  out.has_raising_record = keys.has_empty();
  return out;
}

}  // namespace etcd::etcdutl
