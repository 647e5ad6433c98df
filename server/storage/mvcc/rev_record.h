#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/storage/engine/kv_engine.h"
#include "server/storage/mvcc/types.h"

// The value of the rev family: what the key index needs of a record, so that a restart reads no
// values. Written in the same batch as the record itself.
namespace etcd::mvcc {

// Layout of a put:  varint create_revision · varint version · varint lease · varint encoded_bytes ·
//                   user key (to the end)
// Of a tombstone (18-byte engine key): the user key only.
// Of a record without KeyValue (left by `snapshot restore --bump-revision`): empty.
struct RevRecord {
  Revision create_revision{};
  std::int64_t version = 0;
  LeaseId lease{};
  std::uint32_t encoded_bytes = 0;  // of the stored KeyValue; 0 marks a tombstone
  std::string_view key{};
};

std::string EncodeRevRecord(const RevRecord& record);
// False: damaged.
bool DecodeRevRecord(std::string_view bytes, bool tombstone, RevRecord& record);

// For importers of etcd's own file: adds one record of the key bucket, as found there, to both
// families. False when it is not a record of etcd.
bool AppendImportedRecord(engine::WriteBatch& batch, std::string_view revision_key,
                          std::string_view stored);

}  // namespace etcd::mvcc
