#include <etcdserverpb/raft_internal.pb.h>
#include <etcdserverpb/rpc.pb.h>
#include <string>

#include <gtest/gtest.h>

#include "server/base/errc.h"
#include "server/base/status.h"
#include "tests/unit/api/v3/api_fixture.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::CompactionRequest;
using etcdserverpb::CompactionResponse;
using etcdserverpb::DeleteRangeRequest;
using etcdserverpb::DeleteRangeResponse;
using etcdserverpb::PutRequest;
using etcdserverpb::PutResponse;
using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;
using etcdserverpb::TxnRequest;
using etcdserverpb::TxnResponse;
using testing::Api;

constexpr char kRange[] = "/etcdserverpb.KV/Range";
constexpr char kPut[] = "/etcdserverpb.KV/Put";
constexpr char kDelete[] = "/etcdserverpb.KV/DeleteRange";
constexpr char kTxn[] = "/etcdserverpb.KV/Txn";
constexpr char kCompact[] = "/etcdserverpb.KV/Compact";

PutRequest Put(const std::string& key, const std::string& value) {
  PutRequest put;
  put.set_key(key);
  put.set_value(value);
  return put;
}
RangeRequest Get(const std::string& key, const std::string& end = "") {
  RangeRequest range;
  range.set_key(key);
  range.set_range_end(end);
  return range;
}

// The row of an error on the wire: code and text.
void ExpectError(const absl::Status& status, absl::StatusCode code, std::string_view message) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_EQ(base::MessageOf(status), message);
}

TEST(KvPut, AnswersWithAFullHeaderAtItsRevision) {
  Api api;
  const auto response = api.Call<PutResponse>(kPut, Put("a", "1"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->header().revision(), 2);
  EXPECT_EQ(response->header().cluster_id(), api.node.cluster_id().value());
  EXPECT_EQ(response->header().member_id(), api.node.member_id().value());
  EXPECT_EQ(response->header().raft_term(), api.node.status().term.value());
  EXPECT_FALSE(response->has_prev_kv());
}

TEST(KvPut, PrevKvIsTheStateBefore) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kPut, Put("a", "1")).ok());
  PutRequest put = Put("a", "2");
  put.set_prev_kv(true);
  const auto response = api.Call<PutResponse>(kPut, put);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->prev_kv().value(), "1");
  EXPECT_EQ(response->prev_kv().mod_revision(), 2);
}

TEST(KvPut, CanonicalBytesGoIntoTheLogAsTheyAre) {
  Api api;
  const std::string request = Put("a", "1").SerializeAsString();
  ASSERT_TRUE(api.CallBytes(kPut, request).ok());
  ASSERT_EQ(api.node.proposed.size(), 1U);
  EXPECT_EQ(api.node.proposed[0].substr(2, request.size()), request);
  etcdserverpb::InternalRaftRequest entry;
  ASSERT_TRUE(entry.ParseFromString(api.node.proposed[0]));
  EXPECT_NE(entry.header().id(), 0U);
  EXPECT_EQ(entry.SerializeAsString(), api.node.proposed[0]);
}

TEST(KvPut, OddBytesAreEncodedAnewForTheLog) {
  Api api;
  // value, key, an unknown field, the key again: the last one counts.
  const std::string odd("\x12\x01v\x0a\x01x\x78\x01\x0a\x01k", 11);
  ASSERT_TRUE(api.CallBytes(kPut, odd).ok());
  etcdserverpb::InternalRaftRequest entry;
  ASSERT_TRUE(entry.ParseFromString(api.node.proposed[0]));
  EXPECT_EQ(entry.put().key(), "k");
  EXPECT_EQ(entry.put().SerializeAsString(), Put("k", "v").SerializeAsString());
  EXPECT_EQ(api.member.Get("k"), "v");
}

TEST(KvPut, BytesThatAreNoMessageAreInternal) {
  Api api;
  for (const char* path : {kPut, kRange, kDelete, kTxn, kCompact}) {
    EXPECT_EQ(api.CallBytes(path, "\x0a\x05x").status().code(), absl::StatusCode::kInternal);
  }
  EXPECT_TRUE(api.node.proposed.empty());
}

TEST(KvPut, ChecksInEtcdsOrder) {
  Api api;
  PutRequest put;  // everything is wrong with it
  put.set_value("v");
  put.set_lease(9);
  put.set_ignore_value(true);
  put.set_ignore_lease(true);
  api.node.quota_answer = false;
  ExpectError(api.StatusOf(kPut, put), absl::StatusCode::kResourceExhausted,
              "etcdserver: mvcc: database space exceeded");
  api.node.quota_answer = true;
  ExpectError(api.StatusOf(kPut, put), absl::StatusCode::kInvalidArgument,
              "etcdserver: key is not provided");
  put.set_key("k");
  ExpectError(api.StatusOf(kPut, put), absl::StatusCode::kInvalidArgument,
              "etcdserver: value is provided");
  put.clear_value();
  ExpectError(api.StatusOf(kPut, put), absl::StatusCode::kInvalidArgument,
              "etcdserver: lease is provided");
  EXPECT_TRUE(api.node.proposed.empty());
  put.clear_lease();
  ExpectError(api.StatusOf(kPut, put), absl::StatusCode::kInvalidArgument,
              "etcdserver: key not found");
}

TEST(KvPut, UnknownLeaseIsNotFound) {
  Api api;
  PutRequest put = Put("k", "v");
  put.set_lease(77);
  ExpectError(api.StatusOf(kPut, put), absl::StatusCode::kNotFound,
              "etcdserver: requested lease not found");
}

TEST(KvPut, CostsItsKeyAndValueAndAFixedPart) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kPut, Put("abc", "12345")).ok());
  EXPECT_EQ(api.node.quota_costs, std::vector<std::uint64_t>{256 + 3 + 5});
}

TEST(KvPut, TheEntryDecidesWhatIsTooLarge) {
  Api api;
  // 1,572,838 bytes with a 3-byte key, give or take the length of the request id's varint.
  EXPECT_TRUE(api.StatusOf(kPut, Put("abc", std::string(1'572'764, 'v'))).ok());
  ExpectError(api.StatusOf(kPut, Put("abc", std::string(1'572'864, 'v'))),
              absl::StatusCode::kInvalidArgument, "etcdserver: request is too large");
}

TEST(KvRange, ReturnsKeysWithCountAndTheStoresRevision) {
  Api api;
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(api.StatusOf(kPut, Put(key, key)).ok());
  RangeRequest range = Get("a", "z");
  range.set_limit(2);
  range.set_revision(4);
  ASSERT_TRUE(api.StatusOf(kPut, Put("d", "d")).ok());
  const auto response = api.Call<RangeResponse>(kRange, range);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->header().revision(), 5);  // never the revision asked for
  EXPECT_EQ(response->header().member_id(), api.node.member_id().value());
  ASSERT_EQ(response->kvs_size(), 2);
  EXPECT_EQ(response->kvs(1).key(), "b");
  EXPECT_EQ(response->kvs(1).create_revision(), 3);
  EXPECT_TRUE(response->more());
  EXPECT_EQ(response->count(), 3);
}

TEST(KvRange, AbsentKeyIsNoError) {
  Api api;
  const auto response = api.Call<RangeResponse>(kRange, Get("nothing"));
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->kvs_size(), 0);
  EXPECT_EQ(response->count(), 0);
  EXPECT_EQ(response->header().revision(), 1);
}

TEST(KvRange, ErrorsHaveEtcdsTexts) {
  Api api;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(api.StatusOf(kPut, Put("a", "1")).ok());
  CompactionRequest compaction;
  compaction.set_revision(3);
  ASSERT_TRUE(api.StatusOf(kCompact, compaction).ok());

  RangeRequest bad_sort;
  bad_sort.set_sort_order(static_cast<RangeRequest::SortOrder>(3));
  ExpectError(api.StatusOf(kRange, bad_sort), absl::StatusCode::kInvalidArgument,
              "etcdserver: key is not provided");
  bad_sort.set_key("a");
  ExpectError(api.StatusOf(kRange, bad_sort), absl::StatusCode::kInvalidArgument,
              "etcdserver: invalid sort option");
  RangeRequest bad_target = Get("a");
  bad_target.set_sort_target(static_cast<RangeRequest::SortTarget>(-1));
  ExpectError(api.StatusOf(kRange, bad_target), absl::StatusCode::kInvalidArgument,
              "etcdserver: invalid sort option");

  RangeRequest at = Get("a");
  at.set_revision(5);
  ExpectError(api.StatusOf(kRange, at), absl::StatusCode::kOutOfRange,
              "etcdserver: mvcc: required revision is a future revision");
  at.set_revision(2);
  ExpectError(api.StatusOf(kRange, at), absl::StatusCode::kOutOfRange,
              "etcdserver: mvcc: required revision has been compacted");
  at.set_revision(3);  // the compact revision itself can be read
  EXPECT_TRUE(api.StatusOf(kRange, at).ok());
  at.set_revision(-7);  // the current one
  EXPECT_TRUE(api.StatusOf(kRange, at).ok());
}

TEST(KvRange, OnlyLinearizableReadsAskForAReadIndex) {
  Api api;
  RangeRequest range = Get("a");
  ASSERT_TRUE(api.StatusOf(kRange, range).ok());
  EXPECT_EQ(api.node.read_indexes, 1);
  range.set_serializable(true);
  ASSERT_TRUE(api.StatusOf(kRange, range).ok());
  EXPECT_EQ(api.node.read_indexes, 1);
}

TEST(KvRange, FailedReadIndexIsTheAnswer) {
  Api api;
  api.node.read_index = Error(Errc::kTimeout);
  ExpectError(api.StatusOf(kRange, Get("a")), absl::StatusCode::kUnavailable,
              "etcdserver: request timed out");
  api.node.read_index = Error(Errc::kLeaderChanged);
  ExpectError(api.StatusOf(kRange, Get("a")), absl::StatusCode::kUnavailable,
              "etcdserver: leader changed");
}

TEST(KvRange, LargeAnswerStreamsWithItsExactLength) {
  Api api;
  const std::string value(10'000, 'v');
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(api.StatusOf(kPut, Put("k" + std::to_string(100 + i), value)).ok());
  }
  std::optional<absl::StatusOr<base::Body>> answer;
  api.table->Find(kRange)->unary->Start(
      api.Context(kRange), Get("k", "l").SerializeAsString(),
      [&](absl::StatusOr<base::Body> b) { answer = std::move(b); });
  ASSERT_TRUE(answer.has_value() && answer->ok());
  base::Body& body = **answer;
  EXPECT_LT(body.head.size(), 100U);
  EXPECT_GT(body.source_bytes, 300'000U);
  // Writes after the answer began do not reach it.
  ASSERT_TRUE(api.StatusOf(kPut, Put("k100", "new")).ok());
  CompactionRequest compaction;
  compaction.set_revision(api.member->store().current_revision().value());
  ASSERT_TRUE(api.StatusOf(kCompact, compaction).ok());
  api.Settle();
  const auto bytes = Api::Flatten(body);  // checks the length
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  RangeResponse response;
  ASSERT_TRUE(response.ParseFromString(*bytes));
  ASSERT_EQ(response.kvs_size(), 30);
  EXPECT_EQ(response.kvs(0).value(), value);
  EXPECT_EQ(response.count(), 30);
}

TEST(KvRange, SortOfTheFirstKeysOnly) {
  Api api;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(api.StatusOf(kPut, Put("k" + std::to_string(i), std::to_string(9 - i))).ok());
  }
  RangeRequest range = Get("k", "l");
  range.set_limit(2);
  range.set_sort_target(RangeRequest::VALUE);
  const auto response = api.Call<RangeResponse>(kRange, range);
  ASSERT_TRUE(response.ok());
  ASSERT_EQ(response->kvs_size(), 2);
  EXPECT_EQ(response->kvs(0).key(), "k2");
  EXPECT_EQ(response->kvs(1).key(), "k1");
}

TEST(KvRange, KeysOnlyKeepsEverythingButTheValue) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kPut, Put("a", "1")).ok());
  RangeRequest range = Get("a");
  range.set_keys_only(true);
  const auto response = api.Call<RangeResponse>(kRange, range);
  ASSERT_TRUE(response.ok());
  ASSERT_EQ(response->kvs_size(), 1);
  EXPECT_EQ(response->kvs(0).value(), "");
  EXPECT_EQ(response->kvs(0).version(), 1);
}

TEST(KvDeleteRange, NothingDeletedLeavesTheRevision) {
  Api api;
  DeleteRangeRequest request;
  ExpectError(api.StatusOf(kDelete, request), absl::StatusCode::kInvalidArgument,
              "etcdserver: key is not provided");
  request.set_range_end("z");
  ExpectError(api.StatusOf(kDelete, request), absl::StatusCode::kInvalidArgument,
              "etcdserver: key is not provided");
  request.set_key("a");
  auto response = api.Call<DeleteRangeResponse>(kDelete, request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->deleted(), 0);
  EXPECT_EQ(response->header().revision(), 1);
  ASSERT_TRUE(api.StatusOf(kPut, Put("a", "1")).ok());
  ASSERT_TRUE(api.StatusOf(kPut, Put("b", "2")).ok());
  request.set_prev_kv(true);
  response = api.Call<DeleteRangeResponse>(kDelete, request);
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->deleted(), 2);
  EXPECT_EQ(response->header().revision(), 4);
  ASSERT_EQ(response->prev_kvs_size(), 2);
  EXPECT_EQ(response->prev_kvs(1).value(), "2");
}

TEST(KvCompact, ErrorsAndEdges) {
  Api api;
  CompactionRequest request;
  request.set_revision(-1);
  ExpectError(api.StatusOf(kCompact, request), absl::StatusCode::kOutOfRange,
              "etcdserver: mvcc: required revision has been compacted");
  request.set_revision(0);
  EXPECT_TRUE(api.StatusOf(kCompact, request).ok());  // on a fresh store
  ASSERT_TRUE(api.StatusOf(kPut, Put("a", "1")).ok());
  request.set_revision(3);
  ExpectError(api.StatusOf(kCompact, request), absl::StatusCode::kOutOfRange,
              "etcdserver: mvcc: required revision is a future revision");
  request.set_revision(2);
  request.set_physical(true);
  const auto response = api.Call<CompactionResponse>(kCompact, request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->header().revision(), 2);
  ExpectError(api.StatusOf(kCompact, request), absl::StatusCode::kOutOfRange,
              "etcdserver: mvcc: required revision has been compacted");
}

TEST(KvTxn, WritesGoThroughTheLog) {
  Api api;
  TxnRequest txn;
  auto* compare = txn.add_compare();
  compare->set_target(etcdserverpb::Compare::MOD);
  compare->set_key("a");
  compare->set_mod_revision(0);
  *txn.add_success()->mutable_request_put() = Put("a", "1");
  *txn.add_failure()->mutable_request_range() = Get("a");
  auto response = api.Call<TxnResponse>(kTxn, txn);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->succeeded());
  EXPECT_EQ(response->header().revision(), 2);
  EXPECT_NE(response->header().member_id(), 0U);
  ASSERT_EQ(response->responses_size(), 1);
  EXPECT_EQ(response->responses(0).response_put().header().revision(), 2);
  EXPECT_EQ(response->responses(0).response_put().header().member_id(), 0U);
  response = api.Call<TxnResponse>(kTxn, txn);
  ASSERT_TRUE(response.ok());
  EXPECT_FALSE(response->succeeded());
  EXPECT_EQ(response->responses(0).response_range().kvs(0).value(), "1");
  EXPECT_EQ(api.node.proposed.size(), 2U);
}

TEST(KvTxn, ReadOnlyIsAnsweredWithoutTheLog) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kPut, Put("a", "1")).ok());
  api.node.proposed.clear();
  TxnRequest txn;
  auto* compare = txn.add_compare();
  compare->set_target(etcdserverpb::Compare::VALUE);
  compare->set_key("a");
  compare->set_value("1");
  *txn.add_success()->mutable_request_range() = Get("a");
  *txn.add_failure()->mutable_request_range() = Get("b");
  const auto response = api.Call<TxnResponse>(kTxn, txn);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->succeeded());
  EXPECT_EQ(response->header().revision(), 2);
  EXPECT_NE(response->header().raft_term(), 0U);
  const auto& range = response->responses(0).response_range();
  EXPECT_EQ(range.header().revision(), 2);
  EXPECT_EQ(range.header().member_id(), 0U);
  EXPECT_EQ(range.kvs(0).value(), "1");
  EXPECT_EQ(range.count(), 1);
  EXPECT_TRUE(api.node.proposed.empty());
  EXPECT_EQ(api.node.read_indexes, 1);
}

TEST(KvTxn, SerializableReadsAndEmptyTransactionsNeedNoReadIndex) {
  Api api;
  api.node.read_index = Error(Errc::kTimeout);
  TxnRequest txn;
  EXPECT_TRUE(api.StatusOf(kTxn, txn).ok());
  *txn.add_success()->mutable_request_range() = Get("a");
  txn.mutable_success(0)->mutable_request_range()->set_serializable(true);
  EXPECT_TRUE(api.StatusOf(kTxn, txn).ok());
  *txn.add_failure()->mutable_request_range() = Get("a");
  EXPECT_EQ(ErrcOf(api.StatusOf(kTxn, txn)), Errc::kTimeout);
}

TEST(KvTxn, RevisionsOfReadOnlyRangesAreChecked) {
  Api api;
  ASSERT_TRUE(api.StatusOf(kPut, Put("a", "1")).ok());
  TxnRequest txn;
  RangeRequest* range = txn.add_success()->mutable_request_range();
  *range = Get("a");
  range->set_revision(3);
  ExpectError(api.StatusOf(kTxn, txn), absl::StatusCode::kOutOfRange,
              "etcdserver: mvcc: required revision is a future revision");
  range->set_revision(-2);  // not taken for the current one here
  ExpectError(api.StatusOf(kTxn, txn), absl::StatusCode::kOutOfRange,
              "etcdserver: mvcc: required revision has been compacted");
  // Only the branch that is taken counts.
  txn.add_compare()->set_key("a");
  txn.mutable_compare(0)->set_version(9);
  EXPECT_TRUE(api.StatusOf(kTxn, txn).ok());
}

TEST(KvTxn, QuotaComesBeforeEveryCheck) {
  Api api;
  TxnRequest txn;
  *txn.add_failure()->mutable_request_put() = Put("", "v");
  api.node.quota_answer = false;
  ExpectError(api.StatusOf(kTxn, txn), absl::StatusCode::kResourceExhausted,
              "etcdserver: mvcc: database space exceeded");
  EXPECT_EQ(api.node.quota_costs, std::vector<std::uint64_t>{257});
  api.node.quota_answer = true;
  ExpectError(api.StatusOf(kTxn, txn), absl::StatusCode::kInvalidArgument,
              "etcdserver: key is not provided");
}

TEST(KvTxn, CheckErrorsHaveEtcdsTexts) {
  Api api;
  TxnRequest txn;
  for (int i = 0; i < 129; ++i) *txn.add_success()->mutable_request_put() = Put("a", "");
  ExpectError(api.StatusOf(kTxn, txn), absl::StatusCode::kInvalidArgument,
              "etcdserver: too many operations in txn request");
  txn.mutable_success()->DeleteSubrange(0, 127);
  ExpectError(api.StatusOf(kTxn, txn), absl::StatusCode::kInvalidArgument,
              "etcdserver: duplicate key given in txn request");
  EXPECT_TRUE(api.node.proposed.empty());
}

}  // namespace
}  // namespace etcd::api::v3
