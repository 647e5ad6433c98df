#include "server/storage/mvcc/record_hasher.h"

#include "server/base/crc32c.h"
#include "server/base/status.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::mvcc {

RecordHasher::RecordHasher(const KeyIndex& index, const Range& range)
    : index_(index),
      at_(range.at),
      compact_(range.compact),
      nothing_lives_(index.Count(KeyBounds{KeyBounds::Kind::kFrom, "", ""}, range.at) == 0),
      keeps_nothing_(!range.tombstone_at && !index.NewestOrphan(range.at) && nothing_lives_),
      crc_(base::UpdateCrc32c(0, "key")) {}

bool RecordHasher::Kept(std::string_view key, const RevisionPair& revision) const {
  // etcd skips nothing when it keeps nothing, so what counts then is what a finished compaction
  // leaves; the wording of this test must not depend on how far the deletion has got.
  const Revision up_to = keeps_nothing_ ? compact_ : at_;
  if (key.empty()) return index_.NewestOrphan(up_to) == revision;
  const auto newest = index_.Find(key, up_to);
  return newest && newest->revision == revision;
}

absl::Status RecordHasher::Add(std::string_view revision_key, std::string_view stored) {
  const auto decoded = DecodeRevisionKey(revision_key);
  if (!decoded) return base::DataLoss("mvcc: a key of the key family is not a revision");
  const Revision main = decoded->revision.main;
  if (main > at_) return absl::OkStatus();
  if (main == compact_ && decoded->tombstone) return absl::OkStatus();
  if (main <= compact_ && !Kept(KeyOfStored(stored), decoded->revision)) return absl::OkStatus();
  crc_ = base::UpdateCrc32c(base::UpdateCrc32c(crc_, revision_key), stored);
  return absl::OkStatus();
}

}  // namespace etcd::mvcc
