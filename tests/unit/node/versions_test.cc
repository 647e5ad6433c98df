#include "server/node/versions.h"

#include <gtest/gtest.h>

namespace etcd::node {
namespace {

using Members = std::vector<std::optional<MemberVersion>>;

MemberVersion Go(std::string version) { return {std::move(version), false}; }
MemberVersion Ours() { return {"3.6.16", true}; }

TEST(Versions, ReadsTheMinor) {
  EXPECT_EQ(MinorOf("3.6.16"), 6);
  EXPECT_EQ(MinorOf("3.10.0-rc.1"), 10);
  for (const char* bad : {"", "3", "3.6", "4.6.0", "3.x.0", "not_decided", "v3.6.0"}) {
    EXPECT_EQ(MinorOf(bad), -1) << bad;
  }
}

TEST(Versions, AMemberReportsNoMoreThanItsCluster) {
  EXPECT_EQ(ReportedVersionOf("3.6.16", "3.6.0"), "3.6.16");
  EXPECT_EQ(ReportedVersionOf("3.6.16", "3.5.0"), "3.5.99");
  EXPECT_EQ(ReportedVersionOf("3.6.16", "3.4.0"), "3.4.99");
  // Nothing is decided yet: the leader wants to know what this member can do.
  EXPECT_EQ(ReportedVersionOf("3.6.16", ""), "3.6.16");
  EXPECT_EQ(ReportedVersionOf("3.6.16", "3.0.0"), "3.6.16");
}

TEST(ClusterVersion, IsTheLowestThatAllCanDo) {
  EXPECT_EQ(DecideVersion({}, {Ours()}).version, "3.6.0");
  EXPECT_EQ(DecideVersion({}, {Ours(), Go("3.5.9")}).version, "3.5.0");
  const VersionDecision old = DecideVersion({}, {Ours(), Go("3.4.23"), Go("3.5.9")});
  EXPECT_EQ(old.version, "3.4.0");
  EXPECT_FALSE(old.all_know_requests);
}

TEST(ClusterVersion, IsTheLeastOneWhileAMemberIsSilentAndThenRisesAtOnce) {
  const VersionDecision first = DecideVersion({}, {Ours(), std::nullopt});
  EXPECT_EQ(first.version, "3.0.0");
  EXPECT_FALSE(first.all_know_requests);
  EXPECT_EQ(DecideVersion({.current = "3.0.0"}, {Ours(), std::nullopt}).version, "");
  EXPECT_EQ(DecideVersion({.current = "3.0.0"}, {Ours(), Ours()}).version, "3.6.0");
}

// etcd 3.5 would fall back to 3.4; 3.6 and later do not.
TEST(ClusterVersion, NeverFallsByItself) {
  EXPECT_EQ(DecideVersion({.current = "3.6.0"}, {Ours(), Go("3.5.9")}).version, "");
}

TEST(ClusterVersion, OfAnOlderClusterRisesStepByStepWhenAllCan) {
  EXPECT_EQ(DecideVersion({.current = "3.4.0"}, {Ours(), Go("3.4.23")}).version, "");
  EXPECT_EQ(DecideVersion({.current = "3.4.0"}, {Ours(), Ours()}).version, "3.5.0");
  EXPECT_EQ(DecideVersion({.current = "3.5.0"}, {Ours(), Go("3.6.1")}).version, "3.6.0");
  EXPECT_EQ(DecideVersion({.current = "3.5.0"}, {Ours(), std::nullopt}).version, "");
}

TEST(ClusterVersion, IsHeldWhenToldSo) {
  EXPECT_EQ(DecideVersion({.current = "3.4.0", .hold = true}, {Ours(), Ours()}).version, "");
  // There is nothing to hold before there is a version.
  EXPECT_EQ(DecideVersion({.hold = true}, {Ours(), Ours()}).version, "3.6.0");
  EXPECT_EQ(DecideVersion({.current = "3.0.0", .hold = true}, {Ours(), Ours()}).version, "3.6.0");
}

TEST(ClusterVersion, FallsByOneWhenADowngradeIsEnabled) {
  const VersionState state = {.current = "3.6.0", .downgrade_target = "3.5.0"};
  EXPECT_EQ(DecideVersion(state, {Ours(), Go("3.6.1")}).version, "3.5.0");
  EXPECT_EQ(DecideVersion(state, {Ours(), std::nullopt}).version, "");
}

// Our members report the lower version at once; what counts is what they really are.
TEST(ClusterVersion, ADowngradeEndsWhenEveryMemberIsReplaced) {
  const VersionState state = {.current = "3.5.0", .downgrade_target = "3.5.0"};
  const VersionDecision open = DecideVersion(state, {Ours(), Go("3.5.9")});
  EXPECT_EQ(open.version, "");
  EXPECT_FALSE(open.cancel_downgrade);
  EXPECT_TRUE(DecideVersion(state, {Go("3.5.1"), Go("3.5.9")}).cancel_downgrade);
}

}  // namespace
}  // namespace etcd::node
