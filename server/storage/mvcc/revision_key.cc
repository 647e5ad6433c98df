#include "server/storage/mvcc/revision_key.h"

#include "server/base/bytes.h"

namespace etcd::mvcc {

RevisionKey::RevisionKey(RevisionPair revision, bool tombstone)
    : size_(tombstone ? kTombstoneKeyBytes : kRevisionKeyBytes) {
  base::StoreBigEndian64(bytes_.data(), static_cast<std::uint64_t>(revision.main.value()));
  bytes_[8] = '_';
  base::StoreBigEndian64(bytes_.data() + 9, static_cast<std::uint64_t>(revision.sub));
  bytes_[17] = 't';
}

std::optional<DecodedRevisionKey> DecodeRevisionKey(std::string_view bytes) {
  const bool tombstone = bytes.size() == kTombstoneKeyBytes;
  if (bytes.size() != kRevisionKeyBytes && !tombstone) return std::nullopt;
  if (bytes[8] != '_' || (tombstone && bytes[17] != 't')) return std::nullopt;
  const auto main = static_cast<std::int64_t>(base::LoadBigEndian64(bytes.data()));
  const auto sub = static_cast<std::int64_t>(base::LoadBigEndian64(bytes.data() + 9));
  return DecodedRevisionKey{{Revision(main), sub}, tombstone};
}

}  // namespace etcd::mvcc
