#include "server/api/v3/canonical.h"

#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/api/v3/request.h"
#include "server/base/random.h"

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

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::string Text() {
    return std::string(random_.Below(4), static_cast<char>(random_.Below(256)));
  }
  std::int64_t Number() {
    const std::uint64_t width = random_.Below(64);
    return static_cast<std::int64_t>(random_.Next() >> width);
  }
  bool Coin() { return random_.Below(2) == 0; }
  std::uint64_t Below(std::uint64_t bound) { return random_.Below(bound); }

  void Fill(etcdserverpb::RangeRequest& range) {
    range.set_key(Text());
    range.set_range_end(Text());
    range.set_limit(Number());
    range.set_revision(Number());
    range.set_sort_order(static_cast<etcdserverpb::RangeRequest::SortOrder>(Below(5)));
    range.set_sort_target(static_cast<etcdserverpb::RangeRequest::SortTarget>(-1));
    range.set_serializable(Coin());
    range.set_max_create_revision(Number());
  }
  void Fill(PutRequest& put) {
    put.set_key(Text());
    put.set_value(Text());
    put.set_lease(Number());
    put.set_prev_kv(Coin());
    put.set_ignore_value(Coin());
  }
  void Fill(Compare& compare) {
    compare.set_result(static_cast<Compare::CompareResult>(Below(4)));
    compare.set_target(static_cast<Compare::CompareTarget>(Below(5)));
    compare.set_key(Text());
    switch (Below(6)) {
      case 0:
        compare.set_version(Number());
        break;
      case 1:
        compare.set_create_revision(Number());
        break;
      case 2:
        compare.set_mod_revision(Number());
        break;
      case 3:
        compare.set_value(Text());
        break;
      case 4:
        compare.set_lease(Number());
        break;
      default:
        break;
    }
    compare.set_range_end(Text());
  }
  void Fill(TxnRequest& txn, int depth) {
    for (auto n = Below(3); n > 0; --n) Fill(*txn.add_compare());
    for (auto n = Below(3); n > 0; --n) Fill(*txn.add_success(), depth);
    for (auto n = Below(3); n > 0; --n) Fill(*txn.add_failure(), depth);
  }
  std::string Mutate(std::string bytes) {
    for (auto n = 1 + Below(3); n > 0; --n) {
      if (bytes.empty()) return bytes;
      const std::size_t at = Below(bytes.size());
      switch (Below(4)) {
        case 0:
          bytes[at] = static_cast<char>(Below(256));
          break;
        case 1:
          bytes.erase(at, 1 + Below(3));
          break;
        case 2:
          bytes.insert(at, 1, static_cast<char>(Below(256)));
          break;
        default:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(8)));
          break;
      }
    }
    return bytes;
  }

 private:
  void Fill(etcdserverpb::RequestOp& op, int depth) {
    switch (Below(depth > 0 ? 5 : 4)) {
      case 0:
        Fill(*op.mutable_request_range());
        break;
      case 1:
        Fill(*op.mutable_request_put());
        break;
      case 2:
        op.mutable_request_delete_range()->set_key(Text());
        break;
      case 3:
        break;
      default:
        Fill(*op.mutable_request_txn(), depth - 1);
        break;
    }
  }

  base::SeededRandom random_;
};

TEST(Canonical, AcceptedMutationsEncodeToTheSameBytes) {
  Generator generate(20261121);
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
