#include "server/lease/lessor.h"

#include <limits>
#include <string>
#include <utility>

#include "server/base/bytes.h"
#include "server/base/errc.h"
#include "server/lease/lease_codec.h"
#include "server/storage/engine/buckets.h"
#include "tests/unit/lease/lessor_fixture.h"

namespace etcd::lease {
namespace {

class LessorStore : public LessorFixture {};

TEST(LeaseCodec, MatchesTheBytesOfEtcd) {
  // raft-peer-storage.md 8.1: a captured value.
  const std::string captured = "\x08\x85\xf0\xcc\x80\xd5\xbf\xe8\xc4\x23\x10\x78";
  // The id is bytes 1 to 9: a varint of nine groups.
  std::string_view rest(captured);
  rest.remove_prefix(1);
  std::uint64_t id = 0;
  ASSERT_TRUE(base::ConsumeVarint(rest, id));
  const auto decoded =
      DecodeLeaseRecord(EncodeLeaseKey(LeaseId(static_cast<std::int64_t>(id))), captured);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->ttl_seconds, 120);
  EXPECT_EQ(decoded->remaining_ttl_seconds, 0);
  EXPECT_EQ(EncodeLeaseRecord(*decoded), captured);
}

TEST(LeaseCodec, NegativeIdsTakeTenBytesAndComeBack) {
  const LeaseRecord record{LeaseId(-5), 60, 7};
  const auto decoded = DecodeLeaseRecord(EncodeLeaseKey(record.id), EncodeLeaseRecord(record));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->id, record.id);
  EXPECT_EQ(decoded->ttl_seconds, 60);
  EXPECT_EQ(decoded->remaining_ttl_seconds, 7);
  EXPECT_EQ(EncodeLeaseRecord(record).size(), 11u + 2 + 2);
}

TEST(LeaseCodec, DamagedRecordsAreDataLoss) {
  const std::string key = EncodeLeaseKey(LeaseId(1));
  const std::string good = EncodeLeaseRecord({LeaseId(1), 60, 0});
  EXPECT_TRUE(DecodeLeaseRecord(key, good).ok());
  EXPECT_EQ(DecodeLeaseRecord(key.substr(1), good).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeLeaseRecord(EncodeLeaseKey(LeaseId(2)), good).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(DecodeLeaseRecord(key, good.substr(0, good.size() - 1)).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST_F(LessorStore, GrantRaisesTheTtlToTheMinimum) {
  EXPECT_EQ(GrantPublished(1, 0), 2);
  EXPECT_EQ(GrantPublished(2, -7), 2);
  EXPECT_EQ(GrantPublished(3, 60), 60);
  EXPECT_EQ(lessor.Lookup(LeaseId(1)), 2);
}

TEST_F(LessorStore, GrantErrorsComeInEtcdsOrder) {
  GrantPublished(1, 60);
  EXPECT_EQ(ErrcOf(lessor.Grant(LeaseId(0), kTtlSecondsMax + 1, batch).status()),
            Errc::kLeaseNotFound);
  EXPECT_EQ(ErrcOf(lessor.Grant(LeaseId(1), kTtlSecondsMax + 1, batch).status()),
            Errc::kLeaseTtlTooLarge);
  EXPECT_EQ(ErrcOf(lessor.Grant(LeaseId(1), 60, batch).status()), Errc::kLeaseExists);
  EXPECT_TRUE(lessor.Grant(LeaseId(2), kTtlSecondsMax, batch).ok());
}

// etcd issue 14239: whatever the id, every member must store and find the same.
TEST_F(LessorStore, ExtremeIdsAreGrantedOnceAndWrittenUnderTheirBytes) {
  const std::pair<std::int64_t, std::string> ids[] = {
      {-1, std::string(8, '\xff')},
      {std::numeric_limits<std::int64_t>::min(), '\x80' + std::string(7, '\0')},
      {std::numeric_limits<std::int64_t>::max(), '\x7f' + std::string(7, '\xff')}};
  for (const auto& [id, key] : ids) {
    EXPECT_EQ(GrantPublished(id, 60), 60);
    EXPECT_EQ(ErrcOf(lessor.Grant(LeaseId(id), 60, batch).status()), Errc::kLeaseExists);
    const auto& op = batch.ops().back();
    EXPECT_EQ(op.key, engine::MetaKey(engine::kBucketLease, key));
    const auto record = DecodeLeaseRecord(key, op.value);
    ASSERT_TRUE(record.ok());
    EXPECT_EQ(record->id, LeaseId(id));
  }
  EXPECT_EQ(batch.ops().size(), 3u);
  EXPECT_EQ(ErrcOf(lessor.Grant(LeaseId(0), 60, batch).status()), Errc::kLeaseNotFound);
}

TEST_F(LessorStore, RevokeReturnsKeysInByteOrderAndDeletesTheRecord) {
  GrantPublished(1, 60);
  for (const char* key : {"b", "a", "\xff", "ab"}) {
    ASSERT_TRUE(lessor.Attach(LeaseId(1), key).ok());
  }
  const auto keys = lessor.Revoke(LeaseId(1), batch);
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(*keys, (std::vector<std::string>{"a", "ab", "b", "\xff"}));
  EXPECT_TRUE(batch.ops().back().is_delete);
  EXPECT_EQ(lessor.LeaseOf("a"), LeaseId(0));
  EXPECT_EQ(ErrcOf(lessor.Revoke(LeaseId(1), batch).status()), Errc::kLeaseNotFound);
  EXPECT_EQ(observer.revoked, 1);
}

TEST_F(LessorStore, AKeyBelongsToOneLease) {
  GrantPublished(1, 60);
  GrantPublished(2, 60);
  ASSERT_TRUE(lessor.Attach(LeaseId(1), "k").ok());
  ASSERT_TRUE(lessor.Attach(LeaseId(1), "k").ok());
  ASSERT_TRUE(lessor.Attach(LeaseId(2), "k").ok());
  EXPECT_TRUE(lessor.KeysOf(LeaseId(1)).empty());
  EXPECT_EQ(lessor.KeysOf(LeaseId(2)), std::vector<std::string>{"k"});
  EXPECT_EQ(ErrcOf(lessor.Attach(LeaseId(9), "k")), Errc::kLeaseNotFound);
  EXPECT_EQ(lessor.LeaseOf("k"), LeaseId(2));
  ASSERT_TRUE(lessor.Attach(LeaseId(0), "k").ok());
  EXPECT_EQ(lessor.LeaseOf("k"), LeaseId(0));
  EXPECT_TRUE(lessor.KeysOf(LeaseId(2)).empty());
  ASSERT_TRUE(lessor.Attach(LeaseId(2), "k").ok());
  lessor.Detach("k");
  EXPECT_TRUE(lessor.KeysOf(LeaseId(2)).empty());
}

TEST_F(LessorStore, CheckpointIsWrittenOnlyWhenToldTo) {
  GrantPublished(1, 600);
  const std::size_t before = batch.ops().size();
  ASSERT_TRUE(lessor.Checkpoint({LeaseId(1), 300}, false, batch).ok());
  EXPECT_EQ(batch.ops().size(), before);
  ASSERT_TRUE(lessor.Checkpoint({LeaseId(1), 200}, true, batch).ok());
  const auto record = DecodeLeaseRecord(EncodeLeaseKey(LeaseId(1)), batch.ops().back().value);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->ttl_seconds, 600);
  EXPECT_EQ(record->remaining_ttl_seconds, 200);
  EXPECT_EQ(ErrcOf(lessor.Checkpoint({LeaseId(9), 1}, true, batch)), Errc::kLeaseNotFound);
}

// etcd issue 13932: a lease is nobody's business before its batch is in the engine.
TEST_F(LessorStore, Bug13932GrantIsInvisibleToReadersUntilPublished) {
  lessor.Promote(Term(1), seconds(1));
  ASSERT_TRUE(lessor.Grant(LeaseId(1), 60, batch).ok());
  EXPECT_TRUE(lessor.Exists(LeaseId(1)));
  EXPECT_EQ(ErrorOf(Renew(1)), Errc::kLeaseNotFound);
  EXPECT_FALSE(lessor.Lookup(LeaseId(1)).has_value());
  EXPECT_EQ(ErrcOf(lessor.TimeToLive(LeaseId(1), false).status()), Errc::kLeaseNotFound);
  EXPECT_TRUE(lessor.Leases().empty());
  lessor.Publish();
  EXPECT_TRUE(Renew(1)->value().ok());
  EXPECT_EQ(lessor.Leases(), std::vector<LeaseId>{LeaseId(1)});
}

TEST_F(LessorStore, RevokeIsSeenByReadersOncePublished) {
  lessor.Promote(Term(1), seconds(1));
  GrantPublished(1, 60);
  ASSERT_TRUE(lessor.Revoke(LeaseId(1), batch).ok());
  EXPECT_FALSE(lessor.Exists(LeaseId(1)));
  EXPECT_EQ(lessor.Lookup(LeaseId(1)), 60);
  const Answer waiting = Renew(1);
  EXPECT_FALSE(waiting->has_value()) << "a renewal may not succeed once the revoke is applied";
  lessor.Publish();
  EXPECT_FALSE(lessor.Lookup(LeaseId(1)).has_value());
  EXPECT_EQ(ErrorOf(waiting), Errc::kLeaseNotFound);
}

TEST_F(LessorStore, RevokeAndGrantAgainInOneBatch) {
  lessor.Promote(Term(1), seconds(0));
  GrantPublished(1, 5);
  ASSERT_TRUE(lessor.Revoke(LeaseId(1), batch).ok());
  ASSERT_TRUE(lessor.Grant(LeaseId(1), 100, batch).ok());
  EXPECT_EQ(lessor.Lookup(LeaseId(1)), 5) << "the old one until the batch is published";
  lessor.Publish();
  EXPECT_EQ(lessor.Lookup(LeaseId(1)), 100);
  executor.Advance(seconds(50));
  EXPECT_TRUE(sink.revokes.empty()) << "a timer of the old lease touched the new one";
}

TEST_F(LessorStore, FollowersKnowGrantedButNotRemaining) {
  GrantPublished(3, 60);
  GrantPublished(1, 60);
  EXPECT_EQ(ErrcOf(lessor.TimeToLive(LeaseId(9), false).status()), Errc::kLeaseNotFound);
  EXPECT_EQ(ErrcOf(lessor.TimeToLive(LeaseId(1), false).status()), Errc::kNotPrimaryLessor);
  EXPECT_EQ(ErrorOf(Renew(1)), Errc::kNotPrimaryLessor);
  EXPECT_EQ(ErrorOf(Renew(9)), Errc::kNotPrimaryLessor);
  EXPECT_EQ(lessor.Leases(), (std::vector<LeaseId>{LeaseId(1), LeaseId(3)}));
  executor.Advance(seconds(1000));
  EXPECT_TRUE(sink.revokes.empty());
}

}  // namespace
}  // namespace etcd::lease
