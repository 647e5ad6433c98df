// Random faults on a simulated cluster: never below the quorum, never two members on their way,
// never a name used again, and always there in the end.
#include <cstdlib>
#include <optional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "operator/plan/plan.h"
#include "server/base/random.h"
#include "sim_etcd.h"

namespace etcd::plan {
namespace {

using ::testing::IsEmpty;

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kSequences = 200;  // each takes ten times as long
#else
constexpr std::uint64_t kSequences = 2000;
#endif

class Sequence {
 public:
  explicit Sequence(std::uint64_t seed) : random_(seed) {}

  void Run() {
    for (int i = 0; i < 150; ++i) {
      Disturb();
      Reconcile();
      ASSERT_THAT(sim_.faults, IsEmpty()) << "at " << i << sim_.Describe();
    }
    Settle();
  }

 private:
  std::string AnyPod() {
    const auto& pods = sim_.objects().pods;
    if (pods.empty()) return {};
    return std::next(pods.begin(), static_cast<std::ptrdiff_t>(random_.Below(pods.size())))->first;
  }
  void Disturb() {
    constexpr int kReplicas[] = {1, 3, 5, 7};
    sim_.is_overdue = random_.Below(40) == 0;
    sim_.is_foreign_old = random_.Below(4) == 0;
    sim_.seeds_start = random_.Below(3) != 0;
    switch (random_.Below(20)) {
      case 0:
        sim_.LosePod(AnyPod());
        break;
      case 1:
        sim_.down.insert(AnyPod());
        break;
      case 2:
      case 3:
        sim_.down.clear();
        break;
      case 4:
        sim_.wanted.replicas = kReplicas[random_.Below(4)];
        break;
      case 5:
        sim_.FinishPod(AnyPod());
        break;
      case 6:
        if (random_.Below(4) == 0) sim_.DeleteRecordOf(AnyPod());
        break;
      case 7:
        if (random_.Below(4) == 0) sim_.AddForeignLearner();
        break;
      case 8:
        if (random_.Below(4) == 0) sim_.RemoveByHand(AnyPod());
        break;
      case 9:
        if (random_.Below(4) == 0) sim_.LoseVolume(AnyPod());
        break;
      case 10:
        if (random_.Below(2) == 0) sim_.LoseStatus(AnyPod());
        break;
      case 11:
        if (random_.Below(4) == 0) sim_.LoseClusterId();
        break;
      case 12:
        if (random_.Below(4) == 0) sim_.ChangePeerUrl(AnyPod());
        break;
      case 13:
        sim_.MendByHand();
        break;
      default:
        break;
    }
  }
  // One reconcile, which may die before or after its step.
  void Reconcile() {
    // Another operator that was stopped for a while, say.
    if (random_.Below(8) == 0 && before_.has_value()) {
      sim_.RunLate(Decide(sim_.wanted, *before_), *before_);
    }
    const Observed observed = sim_.Observe();
    if (random_.Below(4) == 0) before_ = observed;
    const Step step = Decide(sim_.wanted, observed);
    if (random_.Below(8) == 0) return;
    sim_.Run(step);
  }
  void Settle() {
    sim_.down.clear();
    sim_.seeds_start = true;
    sim_.is_foreign_old = true;
    sim_.MendByHand();
    for (int i = 0; i < 400; ++i) {
      // Deadlines pass, rarely; a seed that does not start would be waited for.
      sim_.is_overdue = i % 40 == 39 || sim_.objects().cluster == ClusterId{};
      const Step step = Decide(sim_.wanted, sim_.Observe());
      sim_.Run(step);
      ASSERT_THAT(sim_.faults, IsEmpty());
      // The only member is never replaced: there must be others first.
      const auto* wait = std::get_if<Wait>(&step);
      if (wait != nullptr && wait->reason == "ReplacementBlocked") sim_.wanted.replicas = 3;
      const bool is_for_users = wait != nullptr && (wait->reason == "MembersVanished" ||
                                                    wait->reason == "PeerURLMismatch");
      if (is_for_users) sim_.MendByHand();
      if (!std::holds_alternative<Done>(step)) continue;
      EXPECT_EQ(sim_.voters(), static_cast<std::size_t>(sim_.wanted.replicas));
      EXPECT_EQ(sim_.objects().records.size(), sim_.voters());
      EXPECT_EQ(sim_.objects().pods.size(), sim_.voters());
      EXPECT_EQ(sim_.objects().volumes.size(), sim_.voters());
      return;
    }
    const Step step = Decide(sim_.wanted, sim_.Observe());
    const auto* wait = std::get_if<Wait>(&step);
    FAIL() << "does not come to an end: " << NameOf(step)
           << (wait == nullptr ? "" : " " + wait->reason + " " + wait->detail) << sim_.Describe();
  }

  base::SeededRandom random_;
  SimEtcd sim_;
  std::optional<Observed> before_;  // what was so some time ago
};

TEST(PlanProperty, KeepsTheRulesUnderFaultsAndGetsThere) {
  // PLAN_SEQUENCES=100000 for the long run; PLAN_FIRST: the seed to begin with.
  const char* const given = std::getenv("PLAN_SEQUENCES");
  const std::uint64_t count = given == nullptr ? kSequences : std::strtoull(given, nullptr, 10);
  const char* const from = std::getenv("PLAN_FIRST");
  const std::uint64_t first = from == nullptr ? 1 : std::strtoull(from, nullptr, 10);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(seed);
    Sequence(seed).Run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace etcd::plan
