#include "server/apply/range_exec.h"

#include "tests/unit/apply/apply_fixture.h"

namespace etcd::apply {
namespace {

class RangeExecTest : public ApplyTest {
 protected:
  etcdserverpb::RangeResponse Read(const RangeQuery& query) {
    const StoreSource source(replica_.store());
    const auto plan = PlanRange(source, query);
    EXPECT_TRUE(plan.ok()) << plan.status();
    std::string body;
    EXPECT_TRUE(AppendRangeBody(source, *plan, body).ok());
    if (!query.keys_only) {
      EXPECT_EQ(body.size(), plan->kvs_bytes + RangeTail(*plan).size());
    }
    etcdserverpb::RangeResponse response;
    EXPECT_TRUE(response.ParseFromString(body));
    return response;
  }
  static std::string KeysOf(const etcdserverpb::RangeResponse& response) {
    std::string keys;
    for (const auto& kv : response.kvs()) keys += (keys.empty() ? "" : ",") + kv.key();
    return keys;
  }
  // Keys k0..k4 with values 9..5.
  void Fill() {
    for (int i = 0; i < 5; ++i) replica_.Put("k" + std::to_string(i), std::to_string(9 - i));
  }
  static RangeQuery All() {
    RangeQuery query;
    query.key = "k";
    query.range_end = "l";
    return query;
  }
};

TEST_F(RangeExecTest, AnswersInKeyOrder) {
  Fill();
  const auto response = Read(All());
  EXPECT_EQ(KeysOf(response), "k0,k1,k2,k3,k4");
  EXPECT_EQ(response.count(), 5);
  EXPECT_FALSE(response.more());
}

TEST_F(RangeExecTest, LimitTellsThatThereIsMoreAndCountsAll) {
  Fill();
  RangeQuery query = All();
  query.limit = 2;
  const auto response = Read(query);
  EXPECT_EQ(KeysOf(response), "k0,k1");
  EXPECT_TRUE(response.more());
  EXPECT_EQ(response.count(), 5);
  query.limit = 5;
  EXPECT_FALSE(Read(query).more());
  query.limit = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(Read(query).more());
}

// v3-api.md 3.2, observed: without an order only the first limit + 1 keys are sorted.
TEST_F(RangeExecTest, ATargetWithoutOrderSortsOnlyThePage) {
  Fill();
  RangeQuery query = All();
  query.limit = 2;
  query.sort_target = SortTarget::kValue;
  const auto response = Read(query);
  EXPECT_EQ(KeysOf(response), "k2,k1");
  EXPECT_TRUE(response.more());
}

TEST_F(RangeExecTest, AnOrderSortsEverythingFirst) {
  Fill();
  RangeQuery query = All();
  query.limit = 2;
  query.sort_target = SortTarget::kValue;
  query.sort_order = SortOrder::kAscend;
  EXPECT_EQ(KeysOf(Read(query)), "k4,k3");
  query.sort_order = SortOrder::kDescend;
  EXPECT_EQ(KeysOf(Read(query)), "k0,k1");
  query.sort_target = SortTarget::kKey;
  EXPECT_EQ(KeysOf(Read(query)), "k4,k3");
  query.sort_target = SortTarget::kMod;
  EXPECT_EQ(KeysOf(Read(query)), "k4,k3");
}

TEST_F(RangeExecTest, FiltersWorkOnTheWholeRangeBeforeTheLimit) {
  Fill();  // mod revisions 2..6
  RangeQuery query = All();
  query.min_mod_revision = 3;
  query.max_mod_revision = 5;
  query.limit = 2;
  const auto response = Read(query);
  EXPECT_EQ(KeysOf(response), "k1,k2");
  EXPECT_TRUE(response.more());
  EXPECT_EQ(response.count(), 5);
  query = All();
  query.min_create_revision = 6;
  EXPECT_EQ(KeysOf(Read(query)), "k4");
  query = All();
  query.max_create_revision = 2;
  EXPECT_EQ(KeysOf(Read(query)), "k0");
}

TEST_F(RangeExecTest, FilterAndDescendingKeysTogether) {
  Fill();
  RangeQuery query = All();
  query.min_mod_revision = 4;
  query.sort_order = SortOrder::kDescend;
  EXPECT_EQ(KeysOf(Read(query)), "k4,k3,k2");
}

TEST_F(RangeExecTest, KeysOnlyKeepsAllButTheValue) {
  Fill();
  RangeQuery query = All();
  query.keys_only = true;
  const auto response = Read(query);
  EXPECT_EQ(KeysOf(response), "k0,k1,k2,k3,k4");
  EXPECT_EQ(response.kvs(0).value(), "");
  EXPECT_EQ(response.kvs(0).version(), 1);
  EXPECT_EQ(response.kvs(1).mod_revision(), 3);
}

TEST_F(RangeExecTest, CountOnlyHasNothingElse) {
  Fill();
  RangeQuery query = All();
  query.count_only = true;
  query.limit = 1;
  const auto response = Read(query);
  EXPECT_EQ(response.kvs_size(), 0);
  EXPECT_EQ(response.count(), 5);
  EXPECT_FALSE(response.more());
}

TEST_F(RangeExecTest, ReadsThePastButNotTheFuture) {
  Fill();
  RangeQuery query = All();
  query.revision = 3;
  EXPECT_EQ(KeysOf(Read(query)), "k0,k1");
  query.revision = -7;
  EXPECT_EQ(KeysOf(Read(query)), "k0,k1,k2,k3,k4");
  query.revision = 7;
  EXPECT_EQ(ErrcOf(PlanRange(StoreSource(replica_.store()), query).status()),
            Errc::kFutureRevision);
}

}  // namespace
}  // namespace etcd::apply
