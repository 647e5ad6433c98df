#include "server/base/check.h"
#include "server/lease/lease_codec.h"
#include "server/storage/engine/buckets.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/unit/lease/lessor_fixture.h"

namespace etcd::lease {
namespace {

class LessorLoad : public LessorFixture {
 protected:
  void Store(const LeaseRecord& record) {
    engine::WriteBatch write;
    write.Put(engine::Family::kMeta,
              engine::MetaKey(engine::kBucketLease, EncodeLeaseKey(record.id)),
              EncodeLeaseRecord(record));
    CHECK_OK(engine_.Write(write));
  }
  engine::MemEngine engine_;
};

TEST_F(LessorLoad, WhatWasWrittenComesBack) {
  GrantPublished(1, 60);
  GrantPublished(-9, 70);
  GrantPublished(3, 80);
  RevokePublished(LeaseId(3));
  ASSERT_TRUE(lessor.Checkpoint({LeaseId(1), 25}, true, batch).ok());
  CHECK_OK(engine_.Write(batch));
  Lessor again(executor, sink, nullptr, {});
  CHECK_OK(again.Load(engine_));
  EXPECT_EQ(again.Leases(), (std::vector<LeaseId>{LeaseId(-9), LeaseId(1)}));
  EXPECT_EQ(again.Lookup(LeaseId(-9)), 70);
  again.Promote(Term(1), seconds(0));
  EXPECT_EQ(again.TimeToLive(LeaseId(1), false)->remaining_ttl_seconds, 25);
}

TEST_F(LessorLoad, ShortTtlsAreRaisedAndNothingExpiresBeforePromotion) {
  Store({LeaseId(1), 1, 0});
  Store({LeaseId(2), 100, 0});
  CHECK_OK(lessor.Load(engine_));
  EXPECT_EQ(lessor.Lookup(LeaseId(1)), 2);
  executor.Advance(seconds(10'000));
  EXPECT_TRUE(sink.revokes.empty());
  lessor.Promote(Term(1), seconds(0));
  executor.Advance(seconds(3));
  ASSERT_EQ(sink.revokes.size(), 1u);
  EXPECT_EQ(sink.revokes[0].id, LeaseId(1));
}

// A snapshot of the leader replaces everything, also what this member knew of keys.
TEST_F(LessorLoad, ReplacesWhatWasThere) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(7, 60);
  ASSERT_TRUE(lessor.Attach(LeaseId(7), "k").ok());
  Store({LeaseId(1), 60, 0});
  CHECK_OK(lessor.Load(engine_));
  EXPECT_EQ(lessor.Leases(), std::vector<LeaseId>{LeaseId(1)});
  EXPECT_EQ(lessor.LeaseOf("k"), LeaseId(0));
  EXPECT_FALSE(lessor.IsPrimary());
  ASSERT_TRUE(lessor.Attach(LeaseId(1), "k").ok());
  EXPECT_EQ(lessor.KeysOf(LeaseId(1)), std::vector<std::string>{"k"});
}

TEST_F(LessorLoad, DamageIsReported) {
  Store({LeaseId(1), 60, 0});
  engine::WriteBatch write;
  write.Put(engine::Family::kMeta,
            engine::MetaKey(engine::kBucketLease, EncodeLeaseKey(LeaseId(2))), "\x08");
  CHECK_OK(engine_.Write(write));
  EXPECT_EQ(lessor.Load(engine_).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace etcd::lease
