#include "tests/unit/apply/apply_fixture.h"

namespace etcd::apply {
namespace {

using etcdserverpb::Compare;
using etcdserverpb::RequestOp;
using etcdserverpb::TxnRequest;
using etcdserverpb::TxnResponse;

class TxnTest : public ApplyTest {
 protected:
  Result RunTxn(const TxnRequest& txn) {
    Request request;
    *request.mutable_txn() = txn;
    return replica_.Run(request);
  }
  static void AddPut(google::protobuf::RepeatedPtrField<RequestOp>* ops, const std::string& key,
                     const std::string& value, std::int64_t lease = 0) {
    auto* put = ops->Add()->mutable_request_put();
    put->set_key(key);
    put->set_value(value);
    put->set_lease(lease);
  }
  static etcdserverpb::RangeRequest* AddRange(google::protobuf::RepeatedPtrField<RequestOp>* ops,
                                              const std::string& key, std::int64_t revision = 0) {
    auto* range = ops->Add()->mutable_request_range();
    range->set_key(key);
    range->set_revision(revision);
    return range;
  }
  static Compare* AddCompare(TxnRequest& txn, const std::string& key, Compare::CompareResult result,
                             Compare::CompareTarget target) {
    Compare* compare = txn.add_compare();
    compare->set_key(key);
    compare->set_result(result);
    compare->set_target(target);
    return compare;
  }
  bool Holds(const TxnRequest& txn) { return BodyOf<TxnResponse>(RunTxn(txn)).succeeded(); }
};

TEST_F(TxnTest, TakesTheBranchOfItsCompares) {
  replica_.Put("a", "1");
  TxnRequest txn;
  AddCompare(txn, "a", Compare::EQUAL, Compare::VALUE)->set_value("1");
  AddPut(txn.mutable_success(), "b", "then");
  AddPut(txn.mutable_failure(), "b", "else");
  EXPECT_TRUE(Holds(txn));
  EXPECT_EQ(replica_.Get("b"), "then");
  replica_.Put("a", "2");
  EXPECT_FALSE(Holds(txn));
  EXPECT_EQ(replica_.Get("b"), "else");
}

TEST_F(TxnTest, WritesAtOneRevision) {
  TxnRequest txn;
  AddPut(txn.mutable_success(), "a", "1");
  AddPut(txn.mutable_success(), "b", "1");
  const Result result = RunTxn(txn);
  EXPECT_EQ(result.revision, Revision(2));
  EXPECT_EQ(replica_.revision(), Revision(2));
  const auto response = BodyOf<TxnResponse>(result);
  ASSERT_EQ(response.responses_size(), 2);
  EXPECT_EQ(response.responses(0).response_put().header().revision(), 2);
  EXPECT_EQ(response.responses(0).response_put().header().member_id(), 0U);
}

TEST_F(TxnTest, WithoutAChangeKeepsTheRevision) {
  TxnRequest txn;
  txn.add_success()->mutable_request_delete_range()->set_key("none");
  const Result result = RunTxn(txn);
  EXPECT_EQ(result.revision, Revision(1));
  EXPECT_EQ(BodyOf<TxnResponse>(result).responses(0).response_delete_range().header().revision(),
            1);
}

TEST_F(TxnTest, RangeSeesEarlierWritesAndTheirRevision) {
  replica_.Put("a", "old");
  TxnRequest txn;
  AddRange(txn.mutable_success(), "a");
  AddPut(txn.mutable_success(), "a", "new");
  AddRange(txn.mutable_success(), "a");
  AddRange(txn.mutable_success(), "a", 2);
  const auto response = BodyOf<TxnResponse>(RunTxn(txn));
  EXPECT_EQ(response.responses(0).response_range().kvs(0).value(), "old");
  EXPECT_EQ(response.responses(0).response_range().header().revision(), 2);
  EXPECT_EQ(response.responses(2).response_range().kvs(0).value(), "new");
  EXPECT_EQ(response.responses(2).response_range().header().revision(), 3);
  EXPECT_EQ(response.responses(3).response_range().kvs(0).value(), "old");
}

TEST_F(TxnTest, NestedComparesSeeTheStateBeforeTheWholeTransaction) {
  TxnRequest txn;
  AddPut(txn.mutable_success(), "a", "1");
  TxnRequest* nested = txn.add_success()->mutable_request_txn();
  AddCompare(*nested, "a", Compare::EQUAL, Compare::VERSION)->set_version(0);
  AddPut(nested->mutable_success(), "b", "absent before");
  AddPut(nested->mutable_failure(), "b", "seen");
  const auto response = BodyOf<TxnResponse>(RunTxn(txn));
  EXPECT_EQ(replica_.Get("b"), "absent before");
  const TxnResponse& inner = response.responses(1).response_txn();
  EXPECT_TRUE(inner.succeeded());
  ASSERT_TRUE(inner.has_header());
  EXPECT_EQ(inner.header().revision(), 0);  // present and empty, as in etcd
  EXPECT_EQ(inner.responses(0).response_put().header().revision(), 2);
}

TEST_F(TxnTest, CompareOfAMissingKeyIsZeroExceptForValues) {
  TxnRequest version;
  AddCompare(version, "x", Compare::LESS, Compare::VERSION)->set_version(1);
  EXPECT_TRUE(Holds(version));
  TxnRequest lease;
  AddCompare(lease, "x", Compare::EQUAL, Compare::LEASE)->set_lease(0);
  EXPECT_TRUE(Holds(lease));
  for (const auto result : {Compare::EQUAL, Compare::NOT_EQUAL, Compare::LESS, Compare::GREATER}) {
    TxnRequest value;
    AddCompare(value, "x", result, Compare::VALUE)->set_value("");
    EXPECT_FALSE(Holds(value)) << result;
  }
}

TEST_F(TxnTest, CompareOfARangeNeedsEveryKey) {
  replica_.Put("a", "1");
  replica_.Put("b", "1");
  TxnRequest txn;
  Compare* compare = AddCompare(txn, "a", Compare::EQUAL, Compare::VALUE);
  compare->set_range_end("c");
  compare->set_value("1");
  EXPECT_TRUE(Holds(txn));
  replica_.Put("b", "2");
  EXPECT_FALSE(Holds(txn));
}

TEST_F(TxnTest, CompareIgnoresAnOperandOfAnotherTarget) {
  replica_.Put("a", "1");
  TxnRequest txn;
  AddCompare(txn, "a", Compare::GREATER, Compare::VERSION)->set_value("zzz");  // operand: 0
  EXPECT_TRUE(Holds(txn));
}

TEST_F(TxnTest, CompareOfUnknownKindsIsDefined) {
  replica_.Put("a", "1");
  TxnRequest target;
  AddCompare(target, "a", Compare::EQUAL, static_cast<Compare::CompareTarget>(9));
  EXPECT_TRUE(Holds(target));
  target.mutable_compare(0)->set_result(Compare::GREATER);
  EXPECT_FALSE(Holds(target));
  TxnRequest result;
  AddCompare(result, "a", static_cast<Compare::CompareResult>(9), Compare::VERSION);
  EXPECT_TRUE(Holds(result));
}

// etcd issues 18799 and 14110: an error after the first put must not leave that put behind.
TEST_F(TxnTest, WithARangeAtACompactedRevisionHasNoEffect) {
  for (int i = 0; i < 5; ++i) replica_.Put("a", std::to_string(i));
  Request compact;
  compact.mutable_compaction()->set_revision(4);
  ASSERT_TRUE(replica_.Run(compact).status.ok());
  TxnRequest txn;
  AddPut(txn.mutable_success(), "b", "1");
  AddRange(txn.mutable_success(), "a", 2);
  EXPECT_EQ(ErrcOf(RunTxn(txn).status), Errc::kCompacted);
  EXPECT_EQ(replica_.Get("b"), "");
  EXPECT_EQ(replica_.revision(), Revision(6));
  txn.mutable_success(1)->mutable_request_range()->set_revision(100);
  EXPECT_EQ(ErrcOf(RunTxn(txn).status), Errc::kFutureRevision);
  EXPECT_EQ(replica_.revision(), Revision(6));
}

TEST_F(TxnTest, DoesNotCheckTheBranchThatIsNotTaken) {
  TxnRequest txn;
  AddPut(txn.mutable_success(), "a", "1");
  AddRange(txn.mutable_failure(), "a", 100);
  EXPECT_TRUE(RunTxn(txn).status.ok());
}

// etcd issue 18667: what is compacted does not depend on where a member cuts its batches.
TEST_F(TxnTest, GivesTheSameResultInOneBatchAsInMany) {
  engine::MemEngine other_engine;
  Replica other(other_engine);
  std::vector<Request> requests(5);
  for (int i = 0; i < 3; ++i) {
    requests[static_cast<std::size_t>(i)].mutable_put()->set_key("a");
    requests[static_cast<std::size_t>(i)].mutable_put()->set_value(std::to_string(i));
  }
  requests[3].mutable_compaction()->set_revision(3);
  AddRange(requests[4].mutable_txn()->mutable_success(), "a", 2);
  AddPut(requests[4].mutable_txn()->mutable_success(), "b", "1");

  std::vector<raft::Entry> entries;
  for (const Request& request : requests) entries.push_back(replica_.Next(request));
  BatchOutcome together = replica_.ApplyAll(entries);
  BatchOutcome apart;
  for (const raft::Entry& entry : entries) apart = other.ApplyAll({entry});
  EXPECT_EQ(ErrcOf(together.outcomes.back().result.status), Errc::kCompacted);
  EXPECT_EQ(ErrcOf(apart.outcomes.back().result.status), Errc::kCompacted);
  EXPECT_EQ(replica_.store().HashKv(Revision(0))->hash, other.store().HashKv(Revision(0))->hash);
}

TEST_F(TxnTest, WithAnUnknownLeaseHasNoEffect) {
  TxnRequest txn;
  AddPut(txn.mutable_success(), "a", "1");
  AddPut(txn.mutable_success(), "b", "1", 77);
  EXPECT_EQ(ErrcOf(RunTxn(txn).status), Errc::kLeaseNotFound);
  EXPECT_EQ(replica_.Get("a"), "");
}

TEST_F(TxnTest, KeepsValueAndLeaseWhenAsked) {
  Request grant;
  grant.mutable_lease_grant()->set_id(5);
  grant.mutable_lease_grant()->set_ttl(100);
  replica_.Run(grant);
  replica_.Put("a", "kept", 5);
  TxnRequest txn;
  auto* put = txn.add_success()->mutable_request_put();
  put->set_key("a");
  put->set_ignore_value(true);
  put->set_ignore_lease(true);
  put->set_prev_kv(true);
  const auto response = BodyOf<TxnResponse>(RunTxn(txn));
  EXPECT_EQ(replica_.Get("a"), "kept");
  EXPECT_EQ(replica_.lessor().LeaseOf("a"), LeaseId(5));
  EXPECT_EQ(response.responses(0).response_put().prev_kv().version(), 1);
  put->set_key("absent");
  EXPECT_EQ(ErrcOf(RunTxn(txn).status), Errc::kKeyNotFound);
}

// A plain put reports the missing lease, one in a transaction the missing key (3.6.16).
TEST_F(TxnTest, AMissingKeyIsReportedBeforeAMissingLease) {
  TxnRequest txn;
  auto* put = txn.add_success()->mutable_request_put();
  put->set_key("absent");
  put->set_ignore_value(true);
  put->set_lease(77);
  EXPECT_EQ(ErrcOf(RunTxn(txn).status), Errc::kKeyNotFound);
  Request plain;
  *plain.mutable_put() = *put;
  EXPECT_EQ(ErrcOf(replica_.Run(plain).status), Errc::kLeaseNotFound);
}

// The hole in etcd's check of duplicates lets this through; the outcome must be the same
// everywhere.
TEST_F(TxnTest, DeleteOfAnOpenRangeThenPutRunsInOrder) {
  replica_.Put("a", "1");
  TxnRequest txn;
  auto* remove = txn.add_success()->mutable_request_delete_range();
  remove->set_key("a");
  remove->set_range_end(std::string(1, '\0'));
  auto* put = txn.add_success()->mutable_request_put();
  put->set_key("b");
  put->set_ignore_value(true);
  replica_.Put("b", "2");
  const auto response = BodyOf<TxnResponse>(RunTxn(txn));
  EXPECT_EQ(response.responses(0).response_delete_range().deleted(), 2);
  EXPECT_EQ(replica_.Get("a"), "");
  EXPECT_EQ(replica_.revision(), Revision(4));
}

}  // namespace
}  // namespace etcd::apply
