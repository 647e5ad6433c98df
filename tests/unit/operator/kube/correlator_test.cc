#include "operator/kube/correlator.h"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace etcd::kube {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

struct CorrelatorTest : ::testing::Test {
  std::optional<Correlator::Write> Happens() { return correlator.OnEvent(now, wall(), text); }
  WallTime wall() const { return WallTime(now.time_since_epoch()); }
  static Json BodyOf(const Correlator::Write& write) { return *ParseJson(write.body); }

  Correlator::Time now{std::chrono::hours(1)};
  Correlator correlator{{.controller = "etcdpp.dev/operator", .instance = "op-1"}};
  EventText text = {.regarding = {"etcdpp.dev/v1alpha1", "EtcdCluster", "n", "c", "u1"},
                    .reason = "MemberAdded",
                    .action = "ScaleUp",
                    .note = "member c-1 added"};
};

TEST_F(CorrelatorTest, WritesAnEventWithAllThatTheApiDemands) {
  const Correlator::Write write = *Happens();
  EXPECT_FALSE(write.is_patch);
  EXPECT_EQ(write.key.ns, "n");
  EXPECT_EQ(write.key.name, "c.34630b8a000");  // an hour in nanoseconds
  const Json body = BodyOf(write);
  EXPECT_EQ(body["apiVersion"], "events.k8s.io/v1");
  EXPECT_EQ(body["eventTime"], "1970-01-01T01:00:00.000000Z");
  EXPECT_EQ(body["reportingController"], "etcdpp.dev/operator");
  EXPECT_EQ(body["reportingInstance"], "op-1");
  EXPECT_EQ(body["reason"], "MemberAdded");
  EXPECT_EQ(body["type"], "Normal");
  EXPECT_EQ(body["regarding"]["uid"], "u1");
}

TEST_F(CorrelatorTest, TheSameAgainBecomesASeriesThatIsRarelyWritten) {
  const ObjectKey key = Happens()->key;
  now += minutes(5);
  const Correlator::Write patch = *Happens();
  EXPECT_TRUE(patch.is_patch);
  EXPECT_EQ(patch.key, key);
  EXPECT_EQ(BodyOf(patch)["series"]["count"], 2);
  EXPECT_EQ(BodyOf(patch)["series"]["lastObservedTime"], "1970-01-01T01:05:00.000000Z");
  int writes = 0;
  for (int i = 0; i < 29; ++i) {
    now += minutes(1);
    if (Happens().has_value()) ++writes;
  }
  EXPECT_EQ(writes, 0);
  now += minutes(1);
  EXPECT_EQ(BodyOf(*Happens())["series"]["count"], 32);
}

TEST_F(CorrelatorTest, OtherNotesAreOtherEvents) {
  const ObjectKey key = Happens()->key;
  text.note = "member c-2 added";
  now += seconds(1);
  EXPECT_FALSE(Happens()->is_patch);
  text.regarding.uid = "u2";
  now += seconds(1);
  EXPECT_FALSE(Happens()->is_patch);
}

TEST_F(CorrelatorTest, ASeriesEndsWithItsLastCountAfterSixMinutes) {
  Happens();
  now += minutes(1);
  Happens();
  now += minutes(1);
  EXPECT_FALSE(Happens().has_value());
  EXPECT_TRUE(correlator.OnTick(now + minutes(5)).empty());
  now += minutes(6);
  const std::vector<Correlator::Write> writes = correlator.OnTick(now);
  ASSERT_EQ(writes.size(), 1U);
  EXPECT_EQ(BodyOf(writes[0])["series"]["count"], 3);
  EXPECT_TRUE(correlator.OnTick(now).empty());
  EXPECT_FALSE(Happens()->is_patch);
}

TEST_F(CorrelatorTest, CutsWhatIsTooLongWithinNoCharacter) {
  text.note = std::string(1023, 'x') + "\xC3\xA4 and more";
  text.reason = std::string(200, 'R');
  text.regarding.name = std::string(253, 'n');
  const Correlator::Write write = *Happens();
  EXPECT_EQ(BodyOf(write)["note"], std::string(1023, 'x'));
  EXPECT_EQ(BodyOf(write)["reason"].get<std::string>().size(), 128U);
  EXPECT_EQ(write.key.name.size(), 253U);
}

TEST_F(CorrelatorTest, DoesNotGrowWithoutEnd) {
  for (int i = 0; i < 10'000; ++i) {
    text.note = std::to_string(i);
    now += std::chrono::milliseconds(1);
    Happens();
  }
  // The first is forgotten, the last is not.
  text.note = "0";
  EXPECT_FALSE(Happens()->is_patch);
  text.note = "9999";
  EXPECT_TRUE(Happens()->is_patch);
}

}  // namespace
}  // namespace etcd::kube
