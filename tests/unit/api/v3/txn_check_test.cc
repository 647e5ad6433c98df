#include "server/api/v3/txn_check.h"

#include <etcdserverpb/rpc.pb.h>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/base/errc.h"

namespace etcd::api::v3 {
namespace {

using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;

RequestOp Put(const std::string& key) {
  RequestOp op;
  op.mutable_request_put()->set_key(key);
  return op;
}
RequestOp Delete(const std::string& key, const std::string& end = "") {
  RequestOp op;
  op.mutable_request_delete_range()->set_key(key);
  op.mutable_request_delete_range()->set_range_end(end);
  return op;
}
RequestOp Get(const std::string& key, bool serializable = false) {
  RequestOp op;
  op.mutable_request_range()->set_key(key);
  op.mutable_request_range()->set_serializable(serializable);
  return op;
}
TxnRequest Txn(const std::vector<RequestOp>& success, const std::vector<RequestOp>& failure = {}) {
  TxnRequest txn;
  for (const RequestOp& op : success) *txn.add_success() = op;
  for (const RequestOp& op : failure) *txn.add_failure() = op;
  return txn;
}
RequestOp Nested(const TxnRequest& txn) {
  RequestOp op;
  *op.mutable_request_txn() = txn;
  return op;
}

Errc Check(const TxnRequest& txn, std::int64_t ops_max = 128) {
  return ErrcOf(CheckTxn(txn, ops_max)).value_or(Errc::kCount);
}

TEST(TxnCheck, BudgetIsTheLongestOfTheThreeLists) {
  EXPECT_EQ(Check(Txn({Put("a"), Put("b")}), 2), Errc::kOk);
  EXPECT_EQ(Check(Txn({Put("a"), Put("b"), Put("c")}), 2), Errc::kTooManyOps);
  EXPECT_EQ(Check(Txn({}, {Put("a"), Put("b"), Put("c")}), 2), Errc::kTooManyOps);
  TxnRequest compares;
  for (int i = 0; i < 3; ++i) compares.add_compare()->set_key("k");
  EXPECT_EQ(Check(compares, 2), Errc::kTooManyOps);
}

TEST(TxnCheck, NestedTransactionsGetWhatIsLeftAndSiblingsDoNotShare) {
  const TxnRequest two = Txn({Put("a"), Put("b")});
  EXPECT_EQ(Check(Txn({Nested(two)}), 3), Errc::kOk);
  EXPECT_EQ(Check(Txn({Nested(two)}), 2), Errc::kTooManyOps);
  EXPECT_EQ(Check(Txn({Nested(two), Nested(Txn({Put("c"), Put("d")}))}), 4), Errc::kOk);
}

TEST(TxnCheck, BudgetComesBeforeKeysAndKeysBeforeLaterBudgets) {
  EXPECT_EQ(Check(Txn({Put(""), Put("b"), Put("c")}), 2), Errc::kTooManyOps);
  EXPECT_EQ(Check(Txn({Put(""), Nested(Txn({Put("a"), Put("b"), Put("c")}))}), 3), Errc::kEmptyKey);
}

TEST(TxnCheck, EmptyKeysAreRefusedEverywhere) {
  EXPECT_EQ(Check(Txn({Put("")})), Errc::kEmptyKey);
  EXPECT_EQ(Check(Txn({}, {Get("")})), Errc::kEmptyKey);
  EXPECT_EQ(Check(Txn({Delete("")})), Errc::kEmptyKey);
  TxnRequest compare;
  compare.add_compare();
  EXPECT_EQ(Check(compare), Errc::kEmptyKey);
}

TEST(TxnCheck, OperationWithoutContentIsKeyNotFound) {
  EXPECT_EQ(Check(Txn({RequestOp()})), Errc::kKeyNotFound);
}

TEST(TxnCheck, OperationsAreCheckedLikeStandaloneRequests) {
  RequestOp range = Get("k");
  range.mutable_request_range()->set_sort_order(
      static_cast<etcdserverpb::RangeRequest::SortOrder>(3));
  EXPECT_EQ(Check(Txn({range})), Errc::kInvalidSortOption);
  RequestOp put = Put("k");
  put.mutable_request_put()->set_ignore_value(true);
  put.mutable_request_put()->set_value("v");
  EXPECT_EQ(Check(Txn({put})), Errc::kValueProvided);
  put = Put("k");
  put.mutable_request_put()->set_ignore_lease(true);
  put.mutable_request_put()->set_lease(7);
  EXPECT_EQ(Check(Txn({put})), Errc::kLeaseProvided);
}

struct DuplicateCase {
  const char* claim;
  TxnRequest txn;
  Errc expected;
};

std::vector<DuplicateCase> DuplicateCases() {
  const std::string zero(1, '\0');
  return {
      {"two puts", Txn({Put("a"), Put("a")}), Errc::kDuplicateKey},
      {"two puts in failure", Txn({}, {Put("a"), Put("a")}), Errc::kDuplicateKey},
      {"one put in each branch", Txn({Put("a")}, {Put("a")}), Errc::kOk},
      {"put and delete", Txn({Put("a"), Delete("a")}), Errc::kDuplicateKey},
      {"put in deleted range", Txn({Delete("a", "c"), Put("b")}), Errc::kDuplicateKey},
      {"put at the end of a deleted range", Txn({Delete("a", "c"), Put("c")}), Errc::kOk},
      {"put before a deleted range", Txn({Delete("b", "c"), Put("a")}), Errc::kOk},
      {"deletes may overlap", Txn({Delete("a", "d"), Delete("b", "e"), Delete("b")}), Errc::kOk},
      {"put in the union of deletes", Txn({Delete("a", "c"), Delete("b", "e"), Put("d")}),
       Errc::kDuplicateKey},
      {"put between deletes", Txn({Delete("a", "b"), Delete("d", "e"), Put("c")}), Errc::kOk},
      {"ranges do not count", Txn({Get("a"), Put("a")}), Errc::kOk},
      {"from-key delete never conflicts", Txn({Delete("a", zero), Put("b")}), Errc::kOk},
      {"from-key delete at the very key", Txn({Delete("a", zero), Put("a")}), Errc::kOk},
      {"inverted delete never conflicts", Txn({Delete("c", "a"), Put("b")}), Errc::kOk},
      {"nested put of an outer put", Txn({Put("a"), Nested(Txn({Put("a")}))}), Errc::kDuplicateKey},
      {"nested put of an outer delete", Txn({Delete("a"), Nested(Txn({Put("a")}))}),
       Errc::kDuplicateKey},
      {"nested else put of an outer delete", Txn({Delete("a"), Nested(Txn({}, {Put("a")}))}),
       Errc::kDuplicateKey},
      {"same key in both nested branches", Txn({Nested(Txn({Put("a")}, {Put("a")}))}), Errc::kOk},
      {"two nested with the same key", Txn({Nested(Txn({Put("a")})), Nested(Txn({Put("a")}))}),
       Errc::kDuplicateKey},
      {"else of the second nested", Txn({Nested(Txn({Put("a")})), Nested(Txn({}, {Put("a")}))}),
       Errc::kDuplicateKey},
      {"outer put in a nested delete", Txn({Nested(Txn({Delete("a", "c")})), Put("b")}),
       Errc::kDuplicateKey},
      {"nested put in an earlier nested delete",
       Txn({Nested(Txn({Delete("a", "c")})), Nested(Txn({Put("b")}))}), Errc::kDuplicateKey},
      {"nested put in a later nested delete",
       Txn({Nested(Txn({Put("b")})), Nested(Txn({Delete("a", "c")}))}), Errc::kOk},
      {"error inside a nested branch", Txn({Nested(Txn({}, {Put("a"), Put("a")}))}),
       Errc::kDuplicateKey},
  };
}

TEST(TxnCheck, DuplicateKeyRule) {
  for (const DuplicateCase& c : DuplicateCases()) {
    EXPECT_EQ(Check(c.txn), c.expected) << c.claim;
  }
}

TEST(TxnCheck, OnlyRangesInBothBranchesMakeItReadOnly) {
  EXPECT_TRUE(IsReadOnly(Txn({Get("a")}, {Get("b")})));
  EXPECT_TRUE(IsReadOnly(TxnRequest()));
  EXPECT_FALSE(IsReadOnly(Txn({Get("a")}, {Delete("b")})));
  EXPECT_FALSE(IsReadOnly(Txn({Nested(Txn({Get("a")}))})));
  EXPECT_TRUE(IsSerializable(TxnRequest()));
  EXPECT_TRUE(IsSerializable(Txn({Get("a", true)})));
  EXPECT_FALSE(IsSerializable(Txn({Get("a", true)}, {Get("b")})));
}

}  // namespace
}  // namespace etcd::api::v3
