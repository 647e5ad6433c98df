#include "server/storage/mvcc/rev_record.h"

#include <limits>

#include "server/base/bytes.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::mvcc {

std::string EncodeRevRecord(const RevRecord& record) {
  std::string out;
  out.reserve(record.key.size() + 24);
  if (record.encoded_bytes != 0) {
    base::AppendVarint(out, static_cast<std::uint64_t>(record.create_revision.value()));
    base::AppendVarint(out, static_cast<std::uint64_t>(record.version));
    base::AppendVarint(out, static_cast<std::uint64_t>(record.lease.value()));
    base::AppendVarint(out, record.encoded_bytes);
  }
  out.append(record.key);
  return out;
}

bool DecodeRevRecord(std::string_view bytes, bool tombstone, RevRecord& record) {
  record = {};
  if (tombstone || bytes.empty()) {
    record.key = bytes;
    return !tombstone || !bytes.empty();
  }
  std::uint64_t create = 0;
  std::uint64_t version = 0;
  std::uint64_t lease = 0;
  std::uint64_t size = 0;
  if (!base::ConsumeVarint(bytes, create) || !base::ConsumeVarint(bytes, version) ||
      !base::ConsumeVarint(bytes, lease) || !base::ConsumeVarint(bytes, size)) {
    return false;
  }
  if (size == 0 || size > std::numeric_limits<std::uint32_t>::max() || bytes.empty()) return false;
  record = {Revision(static_cast<std::int64_t>(create)), static_cast<std::int64_t>(version),
            LeaseId(static_cast<std::int64_t>(lease)), static_cast<std::uint32_t>(size), bytes};
  return true;
}

bool AppendImportedRecord(engine::WriteBatch& batch, std::string_view revision_key,
                          std::string_view stored) {
  const auto decoded = DecodeRevisionKey(revision_key);
  KeyValueFields fields;
  if (!decoded || !DecodeKeyValue(stored, fields)) return false;
  if (stored.empty() ? decoded->tombstone : fields.key.empty()) return false;
  RevRecord record{.create_revision = fields.create_revision,
                   .version = fields.version,
                   .lease = fields.lease,
                   .encoded_bytes = static_cast<std::uint32_t>(stored.size()),
                   .key = fields.key};
  if (decoded->tombstone) record.encoded_bytes = 0;
  batch.Put(engine::Family::kKey, std::string(revision_key), std::string(stored));
  batch.Put(engine::Family::kRev, std::string(revision_key), EncodeRevRecord(record));
  return true;
}

}  // namespace etcd::mvcc
