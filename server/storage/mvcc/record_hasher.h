#pragma once

#include <cstdint>
#include <string_view>

#include <absl/status/status.h>

#include "server/storage/mvcc/key_index.h"

namespace etcd::mvcc {

// HashKV's stream (v3-api.md 7.5): CRC-32C over the bucket name and the records that count, fed in
// ascending key order. The index must not be compacted above `at`, nor above the revision that
// `compact` stands for, while it runs (readers pin it).
class RecordHasher {
 public:
  // Hash at revision `at` of a store compacted at `compact` (-1: never). For a compaction at `at`,
  // the tombstones exactly there belong to what is kept: `tombstone_at` says whether there are any.
  struct Range {
    Revision at;
    Revision compact{-1};
    bool tombstone_at = false;
  };
  RecordHasher(const KeyIndex& index, const Range& range);

  // DataLoss when the record is not one.
  absl::Status Add(std::string_view revision_key, std::string_view stored);
  std::uint32_t hash() const { return crc_; }
  // No key lives at `at`. By etcd's rule the hash that a compaction makes there, for which the last
  // tombstones live, is not the one made on demand: two such hashes must not be compared.
  bool nothing_lives() const { return nothing_lives_; }

 private:
  bool Kept(std::string_view key, const RevisionPair& revision) const;

  const KeyIndex& index_;
  Revision at_;
  Revision compact_;
  bool nothing_lives_;
  bool keeps_nothing_;
  std::uint32_t crc_;
};

}  // namespace etcd::mvcc
