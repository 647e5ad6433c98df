#include <string>

#include <gtest/gtest.h>

#include "server/storage/engine/kv_engine.h"
#include "server/storage/mvcc/key_value.h"
#include "server/storage/mvcc/rev_record.h"
#include "server/storage/mvcc/revision_key.h"

namespace etcd::mvcc {
namespace {

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

TEST(RevisionKey, HasEtcdsBytes) {
  EXPECT_EQ(Hex(RevisionKey({Revision(2), 0}).view()), "00000000000000025f0000000000000000");
  EXPECT_EQ(Hex(RevisionKey({Revision(258), 3}, true).view()),
            "00000000000001025f000000000000000374");
}

TEST(RevisionKey, DecodesWhatItEncodes) {
  const auto decoded = DecodeRevisionKey(RevisionKey({Revision(1) + (1LL << 40), 7}, true).view());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->revision, (RevisionPair{Revision((1LL << 40) + 1), 7}));
  EXPECT_TRUE(decoded->tombstone);
}

TEST(RevisionKey, RefusesOtherBytes) {
  EXPECT_FALSE(DecodeRevisionKey(""));
  EXPECT_FALSE(DecodeRevisionKey(std::string(16, 'x')));
  EXPECT_FALSE(DecodeRevisionKey(std::string(17, 'x')));
  std::string key(RevisionKey({Revision(2), 0}).view());
  EXPECT_FALSE(DecodeRevisionKey(key + "x"));
  EXPECT_FALSE(DecodeRevisionKey(key + "tt"));
}

// raft-peer-storage.md 8.3 and v3-api.md 7.5.
TEST(KeyValue, HasEtcdsBytes) {
  const KeyValueFields fields{.key = "foo",
                              .create_revision = Revision(2),
                              .mod_revision = Revision(2),
                              .version = 1,
                              .value = "bar"};
  EXPECT_EQ(Hex(EncodeKeyValue(fields)), "0a03666f6f1002180220012a03626172");
  EXPECT_EQ(Hex(EncodeKeyValue({.key = "foo"})), "0a03666f6f");
}

TEST(KeyValue, SizeIsExact) {
  for (const std::int64_t number : {0LL, 1LL, 127LL, 128LL, 1LL << 40, -1LL}) {
    const KeyValueFields fields{.key = "k",
                                .create_revision = Revision(number),
                                .mod_revision = Revision(number),
                                .version = number,
                                .value = std::string_view("v"),
                                .lease = LeaseId(number)};
    const std::string encoded = EncodeKeyValue(fields);
    EXPECT_EQ(encoded.size(), EncodedKeyValueBytes(fields));
    KeyValueFields decoded;
    ASSERT_TRUE(DecodeKeyValue(encoded, decoded));
    EXPECT_EQ(decoded.lease, fields.lease);
    EXPECT_EQ(decoded.version, fields.version);
    EXPECT_EQ(KeyOfStored(encoded), "k");
  }
}

TEST(KeyValue, RefusesDamage) {
  const std::string whole = EncodeKeyValue({.key = "key",
                                            .create_revision = Revision(300),
                                            .mod_revision = Revision(300),
                                            .version = 1,
                                            .value = "value"});
  KeyValueFields fields;
  EXPECT_FALSE(DecodeKeyValue(whole.substr(0, whole.size() - 1), fields));
  EXPECT_FALSE(DecodeKeyValue(whole.substr(0, 3), fields));
  EXPECT_FALSE(DecodeKeyValue("\x3a\x01x", fields));
}

TEST(RevRecord, RoundTrip) {
  const RevRecord put{.create_revision = Revision(5),
                      .version = 3,
                      .lease = LeaseId(-7),
                      .encoded_bytes = 300,
                      .key = "key"};
  RevRecord decoded;
  const std::string put_bytes = EncodeRevRecord(put);
  ASSERT_TRUE(DecodeRevRecord(put_bytes, false, decoded));
  EXPECT_EQ(decoded.create_revision, put.create_revision);
  EXPECT_EQ(decoded.version, 3);
  EXPECT_EQ(decoded.lease, LeaseId(-7));
  EXPECT_EQ(decoded.encoded_bytes, 300U);
  EXPECT_EQ(decoded.key, "key");
  const std::string tombstone_bytes = EncodeRevRecord({.key = "gone"});
  ASSERT_TRUE(DecodeRevRecord(tombstone_bytes, true, decoded));
  EXPECT_EQ(decoded.key, "gone");
  EXPECT_EQ(decoded.encoded_bytes, 0U);
  EXPECT_FALSE(DecodeRevRecord("", true, decoded));
  EXPECT_FALSE(DecodeRevRecord("\x05\x03", false, decoded));
}

TEST(RevRecord, ImportKeepsStoredBytes) {
  const std::string stored = EncodeKeyValue({.key = "foo",
                                             .create_revision = Revision(2),
                                             .mod_revision = Revision(2),
                                             .version = 1,
                                             .value = "bar",
                                             .lease = LeaseId(9)});
  engine::WriteBatch batch;
  const RevisionKey key({Revision(2), 0});
  ASSERT_TRUE(AppendImportedRecord(batch, key.view(), stored));
  ASSERT_EQ(batch.ops().size(), 2U);
  EXPECT_EQ(batch.ops()[0].value, stored);
  RevRecord record;
  ASSERT_TRUE(DecodeRevRecord(batch.ops()[1].value, false, record));
  EXPECT_EQ(record.lease, LeaseId(9));
  EXPECT_EQ(record.encoded_bytes, stored.size());
  EXPECT_FALSE(AppendImportedRecord(batch, "short", stored));
  EXPECT_FALSE(AppendImportedRecord(batch, key.view(), "\x0a\xff"));
  EXPECT_TRUE(AppendImportedRecord(batch, RevisionKey({Revision(9), 0}).view(), ""));
}

}  // namespace
}  // namespace etcd::mvcc
