#include "server/api/v3/canonical.h"

#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/api/v3/request.h"
#include "tests/support/request_generator.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::Compare;
using etcdserverpb::PutRequest;
using etcdserverpb::TxnRequest;

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out.push_back(static_cast<char>(byte));
  return out;
}

TEST(Canonical, WhatProtobufWritesIsAccepted) {
  PutRequest put;
  put.set_key("k");
  put.set_value(std::string(300, 'v'));
  put.set_lease(-1);
  put.set_prev_kv(true);
  put.set_ignore_lease(true);
  EXPECT_TRUE(IsCanonical(kPutRequestShape, put.SerializeAsString()));
  EXPECT_TRUE(IsCanonical(kPutRequestShape, ""));
}

TEST(Canonical, FieldsOutOfOrderAreRefused) {
  EXPECT_TRUE(IsCanonical(kPutRequestShape, Bytes({0x0a, 1, 'k', 0x12, 1, 'v'})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x12, 1, 'v', 0x0a, 1, 'k'})));
}

TEST(Canonical, FieldGivenTwiceIsRefused) {
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x0a, 1, 'k', 0x0a, 1, 'l'})));
}

TEST(Canonical, ZeroScalarIsRefused) {
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x0a, 1, 'k', 0x18, 0})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x0a, 0})));
}

TEST(Canonical, LongVarintIsRefused) {
  EXPECT_TRUE(IsCanonical(kPutRequestShape, Bytes({0x18, 1})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x18, 0x81, 0})));       // value
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x98, 0, 1})));          // tag
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x0a, 0x81, 0, 'k'})));  // length
}

TEST(Canonical, BoolOtherThanOneIsRefused) {
  EXPECT_TRUE(IsCanonical(kPutRequestShape, Bytes({0x20, 1})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x20, 2})));
}

TEST(Canonical, EnumBeyond32BitsIsRefused) {
  EXPECT_TRUE(IsCanonical(kRangeRequestShape, Bytes({0x28, 9})));
  // 2^32 would be cut to 0 by a decoder.
  EXPECT_FALSE(IsCanonical(kRangeRequestShape, Bytes({0x28, 0x80, 0x80, 0x80, 0x80, 0x10})));
}

TEST(Canonical, UnknownFieldAndWrongWireTypeAreRefused) {
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x38, 1})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x08, 1})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x1d, 1, 0, 0, 0})));
}

TEST(Canonical, CutShortIsRefused) {
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x0a, 2, 'k'})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x0a})));
  EXPECT_FALSE(IsCanonical(kPutRequestShape, Bytes({0x80})));
}

TEST(Canonical, ZeroValueOfAOneofMemberIsAccepted) {
  TxnRequest txn;
  Compare* compare = txn.add_compare();
  compare->set_target(Compare::MOD);
  compare->set_key("k");
  compare->set_mod_revision(0);
  compare->set_range_end("l");
  txn.add_compare()->set_value("");
  txn.add_success()->mutable_request_put();
  EXPECT_TRUE(IsCanonical(kTxnRequestShape, txn.SerializeAsString()));
}

TEST(Canonical, TwoMembersOfAOneofAreRefused) {
  const std::string compare = Bytes({0x1a, 1, 'k', 0x20, 1, 0x28, 1});
  EXPECT_FALSE(
      IsCanonical(kTxnRequestShape, Bytes({0x0a, static_cast<int>(compare.size())}) + compare));
}

TEST(Canonical, NestingDeeperThanADecoderFollowsIsRefused) {
  TxnRequest txn;
  for (int depth = 0; depth < 47; ++depth) {
    TxnRequest outer;
    *outer.add_success()->mutable_request_txn() = txn;
    txn = outer;
  }
  EXPECT_TRUE(IsCanonical(kTxnRequestShape, txn.SerializeAsString()));
  TxnRequest outer;
  *outer.add_success()->mutable_request_txn() = txn;
  EXPECT_FALSE(IsCanonical(kTxnRequestShape, outer.SerializeAsString()));
  TxnRequest scratch;
  std::string storage;
  EXPECT_FALSE(CanonicalBytes(kTxnRequestShape, outer.SerializeAsString(), scratch, storage).ok());
}

TEST(Canonical, OtherBytesAreEncodedAnewWithoutUnknownFields) {
  PutRequest scratch;
  std::string storage;
  const std::string odd = Bytes({0x12, 1, 'v', 0x0a, 1, 'k', 0x78, 1});
  const auto bytes = CanonicalBytes(kPutRequestShape, odd, scratch, storage);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, Bytes({0x0a, 1, 'k', 0x12, 1, 'v'}));
}

// ---- Fuzz: whatever is accepted survives decoding and encoding byte for byte.

TEST(Canonical, AcceptedMutationsEncodeToTheSameBytes) {
  testing::RequestGenerator generate(20261121);
  int accepted = 0;
  for (int round = 0; round < 40'000; ++round) {
    TxnRequest txn;
    generate.Fill(txn, 3);
    const std::string original = txn.SerializeAsString();
    ASSERT_TRUE(IsCanonical(kTxnRequestShape, original)) << txn.DebugString();
    const std::string mutated = generate.Mutate(original);
    if (!IsCanonical(kTxnRequestShape, mutated)) continue;
    ++accepted;
    TxnRequest again;
    ASSERT_TRUE(again.ParseFromString(mutated));
    ASSERT_EQ(again.SerializeAsString(), mutated) << again.DebugString();
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace etcd::api::v3
