#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "server/base/bytes.h"
#include "server/base/sha256.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/revision_key.h"
#include "tests/support/bbolt_image.h"

// Snapshot files made by hand.
namespace etcd::etcdutl {

inline std::string Number(std::uint64_t value) {
  std::string out;
  base::AppendBigEndian64(out, value);
  return out;
}

inline std::string RevisionText(std::int64_t main, bool tombstone = false) {
  return std::string(mvcc::RevisionKey({Revision(main), 0}, tombstone).view());
}

// Adds the record of a put, or of a deletion when `version` is 0.
inline void AddRecord(testing::Buckets& buckets, std::int64_t main, std::string_view key,
                      std::int64_t version) {
  mvcc::KeyValueFields fields{.key = key};
  if (version > 0) {
    fields.create_revision = Revision(1);
    fields.mod_revision = Revision(main);
    fields.version = version;
    fields.value = "value";
  }
  buckets["key"][RevisionText(main, version == 0)] = mvcc::EncodeKeyValue(fields);
}

// etcd's ten buckets, empty but for an index.
inline testing::Buckets EmptyStore() {
  testing::Buckets buckets;
  for (const char* name : {"alarm", "auth", "authRoles", "authUsers", "cluster", "key", "lease",
                           "members", "members_removed", "meta"}) {
    buckets[name];
  }
  buckets["meta"]["consistent_index"] = Number(77);
  buckets["meta"]["term"] = Number(5);
  return buckets;
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// As Maintenance.Snapshot ends.
inline std::string WithDigest(std::string image) {
  base::Sha256 digest;
  digest.Add(image);
  return image + digest.Finish();
}

}  // namespace etcd::etcdutl
