// The operator dies after every single change that it makes, before it has the answer; or it lives
// and the answer is lost. Both times it must come to the same end (operator-spec 8.1 to 8.4).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "world.h"

namespace etcd::loop {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

#ifdef __SANITIZE_ADDRESS__
constexpr int kStride = 4;  // each takes several times as long; the other builds try them all
#else
constexpr int kStride = 1;
#endif

struct Way {
  const char* name;
  int from;                       // replicas, settled; 0: no cluster yet
  void (*disturb)(World& world);  // then
  int to;                         // replicas in the end; 0: all is gone
  int changes_max;                // the rest repeats itself for the next member
};

// True when the crash came.
bool RunWithCrash(const Way& way, int change, World::Fate fate) {
  World world(World::Json{{"replicas", way.from == 0 ? way.to : way.from}});
  const bool is_ready = way.from == 0 || world.Settle();
  EXPECT_TRUE(is_ready);
  way.disturb(world);
  world.CrashAt(change, fate);
  bool has_crashed = false;
  for (int i = 0; i < 2 && !has_crashed; ++i) {
    try {
      if (world.Settle()) break;
    } catch (const Crash&) {
      has_crashed = true;
    }
  }
  has_crashed = has_crashed || world.has_lost_answer;
  if (has_crashed) {
    if (fate == World::Fate::kDies) world.Restart();
    EXPECT_TRUE(world.Settle()) << world.Cluster().dump(1);
  }
  EXPECT_THAT(world.faults(), IsEmpty());
  if (way.to == 0) {
    EXPECT_TRUE(world.Cluster().is_null());
    EXPECT_THAT(world.All("pods"), IsEmpty());
    EXPECT_THAT(world.Members(), IsEmpty());
    return has_crashed;
  }
  const auto count = static_cast<std::size_t>(way.to);
  EXPECT_EQ(world.etcd.voters(), count);
  EXPECT_EQ(world.etcd.members().size(), count);
  EXPECT_THAT(world.All("pods"), SizeIs(count));
  EXPECT_THAT(world.Members(), SizeIs(count));
  EXPECT_THAT(world.All("persistentvolumeclaims"), SizeIs(count));
  EXPECT_EQ(world.Condition("Available")["reason"], "QuorumHealthy");
  return has_crashed;
}

class CrashTest : public ::testing::TestWithParam<Way> {};

void RunAll(const Way& way, World::Fate fate) {
  int crashes = 0;
  for (int change = 1; change <= way.changes_max; change += kStride) {
    SCOPED_TRACE(fmt::format("change {}", change));
    if (!RunWithCrash(way, change, fate)) break;
    ++crashes;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(crashes, kStride == 1 ? 4 : 2);
}

TEST_P(CrashTest, EveryChangeMayBeTheLast) { RunAll(GetParam(), World::Fate::kDies); }
const Way kWays[] = {
    {"Bootstrap", 0, [](World&) {}, 1, 99},
    {"Grow", 1, [](World& world) { world.Scale(3); }, 3, 24},
    {"Shrink", 3, [](World& world) { world.Scale(1); }, 1, 18},
    {"Restart", 3,
     [](World& world) {
       for (const std::string& name : world.Members()) world.LosePod(name);
     },
     3, 99},
    {"SeedGivenUp", 0,
     [](World& world) {
       world.kubelet_runs = false;
       for (int i = 0; i < 20 && world.All("pods").empty(); ++i) world.Turn();
       // Only the first one does not run.
       world.dead.insert(world.Members().at(0));
       world.kubelet_runs = true;
       world.clock.Set(world.clock.Now() + std::chrono::minutes(11));
     },
     1, 99},
    {"Delete", 3, [](World& world) { world.DeleteCluster(); }, 0, 99},
};

INSTANTIATE_TEST_SUITE_P(Ways, CrashTest, ::testing::ValuesIn(kWays),
                         [](const auto& way) { return way.param.name; });

TEST(LostAnswerTest, OfAnyChangeOfAGrowthDoesNoHarm) {
  RunAll(kWays[1], World::Fate::kLosesAnswer);
}
TEST(LostAnswerTest, OfAnyChangeOfAShrinkingDoesNoHarm) {
  RunAll(kWays[2], World::Fate::kLosesAnswer);
}

}  // namespace
}  // namespace etcd::loop
