#include "operator/kube/election.h"

#include <algorithm>
#include <functional>
#include <memory>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/fake_kube_objects.h"

namespace etcd::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Step = Election::Step;

const Election::Time kStart{std::chrono::hours(1)};
const WallTime kWall{std::chrono::hours(1)};

Election Candidate(const std::string& identity, std::uint64_t seed = 1) {
  return Election({.ns = "sys", .name = "op", .identity = identity}, seed);
}

// The lease at an API server, with its locking.
struct LeaseServer {
  testing::FakeKubeObjects::Target Target() const {
    return {"/apis/coordination.k8s.io/v1/leases", "sys", "op", "", {}};
  }
  Object Read() const {
    const auto answer = objects.Get(Target());
    return answer.code == 200 ? *Object::Make(answer.body) : Object();
  }
  // No object when it was refused.
  Object Write(bool is_new, const Json& body) {
    const auto answer = is_new ? objects.Create(Target(), body) : objects.Replace(Target(), body);
    return answer.code < 300 ? *Object::Make(answer.body) : Object();
  }
  void Delete() { objects.Delete(Target(), Json::object()); }
  testing::FakeKubeObjects objects;
};

// Does what the election asks for until it waits; how long it wants to.
std::chrono::nanoseconds RunUntilWait(Election& election, LeaseServer& server, Election::Time now) {
  while (true) {
    const Election::Action action = election.Next(now);
    if (action.step == Step::kWait) return action.wait;
    if (action.step == Step::kGet) {
      election.OnRead(now, server.Read());
      continue;
    }
    const Object written = server.Write(action.step == Step::kCreate,
                                        election.Body(now, kWall + now.time_since_epoch()));
    if (written) {
      election.OnWritten(now, written);
    } else {
      election.OnFailed(true);
    }
  }
}

TEST(Election, TakesALeaseThatDoesNotExist) {
  LeaseServer server;
  Election a = Candidate("a");
  EXPECT_EQ(RunUntilWait(a, server, kStart), seconds(2));
  EXPECT_TRUE(a.is_leader(kStart));
  EXPECT_EQ(a.LeadsUntil(), kStart + seconds(10));
  const Json spec = server.Read().json()["spec"];
  EXPECT_EQ(spec["holderIdentity"], "a");
  EXPECT_EQ(spec["leaseDurationSeconds"], 15);
  EXPECT_EQ(spec["leaseTransitions"], 0);
  EXPECT_EQ(spec["acquireTime"], "1970-01-01T02:00:00.000000Z");
}

TEST(Election, RenewsAndKeepsTheAcquireTime) {
  LeaseServer server;
  Election a = Candidate("a");
  RunUntilWait(a, server, kStart);
  RunUntilWait(a, server, kStart + seconds(2));
  EXPECT_EQ(a.LeadsUntil(), kStart + seconds(12));
  const Json spec = server.Read().json()["spec"];
  EXPECT_EQ(spec["acquireTime"], "1970-01-01T02:00:00.000000Z");
  EXPECT_EQ(spec["renewTime"], "1970-01-01T02:00:02.000000Z");
  EXPECT_EQ(spec["leaseTransitions"], 0);
}

TEST(Election, WaitsForTheDurationSinceTheLastChangeThatItSaw) {
  LeaseServer server;
  Election a = Candidate("a");
  Election b = Candidate("b");
  RunUntilWait(a, server, kStart);
  // b sees it late; that is when its patience begins.
  const auto seen = kStart + seconds(100);
  EXPECT_GE(RunUntilWait(b, server, seen), seconds(2));
  RunUntilWait(b, server, seen + milliseconds(14'999));
  EXPECT_FALSE(b.is_leader(seen + milliseconds(14'999)));
  RunUntilWait(b, server, seen + seconds(15));
  EXPECT_TRUE(b.is_leader(seen + seconds(15)));
  EXPECT_EQ(server.Read().json()["spec"]["leaseTransitions"], 1);
}

TEST(Election, ARenewalStartsThePatienceAnew) {
  LeaseServer server;
  Election a = Candidate("a");
  Election b = Candidate("b");
  RunUntilWait(a, server, kStart);
  RunUntilWait(b, server, kStart);
  RunUntilWait(a, server, kStart + seconds(2));
  RunUntilWait(b, server, kStart + seconds(14));
  RunUntilWait(b, server, kStart + seconds(16));
  EXPECT_FALSE(b.is_leader(kStart + seconds(16)));
  RunUntilWait(b, server, kStart + seconds(29));
  EXPECT_TRUE(b.is_leader(kStart + seconds(29)));
}

TEST(Election, LosesWhenItCannotRenew) {
  LeaseServer server;
  Election a = Candidate("a");
  RunUntilWait(a, server, kStart);
  EXPECT_EQ(a.Next(kStart + seconds(2)).step, Step::kUpdate);
  a.OnFailed(true);
  EXPECT_TRUE(a.is_leader(kStart + milliseconds(9'999)));
  EXPECT_TRUE(a.has_lost(kStart + seconds(10)));
  // Also when an answer comes too late: what was done meanwhile cannot be called back.
  (void)a.Body(kStart + seconds(9), kWall);
  a.OnWritten(kStart + seconds(11), server.Read());
  EXPECT_TRUE(a.has_lost(kStart + seconds(11)));
}

TEST(Election, LosesAtOnceToAnotherHolderAndWhenTheLeaseIsDeleted) {
  for (const bool is_deleted : {false, true}) {
    LeaseServer server;
    Election a = Candidate("a");
    RunUntilWait(a, server, kStart);
    if (is_deleted) {
      server.Delete();
    } else {
      Json body = server.Read().json();
      body["spec"]["holderIdentity"] = "b";
      server.Write(false, body);
    }
    const auto later = kStart + seconds(2);
    EXPECT_EQ(a.Next(later).step, Step::kUpdate);
    a.OnFailed(true);
    EXPECT_EQ(a.Next(later).step, Step::kWait);
    EXPECT_EQ(a.Next(later).step, Step::kGet);
    EXPECT_TRUE(a.is_leader(later));
    a.OnRead(later, server.Read());
    EXPECT_TRUE(a.has_lost(later));
  }
}

TEST(Election, AReleasedLeaseIsFreeAtOnce) {
  LeaseServer server;
  Election a = Candidate("a");
  Election b = Candidate("b");
  RunUntilWait(a, server, kStart);
  RunUntilWait(b, server, kStart);
  const std::optional<Json> release = a.Release(kWall);
  ASSERT_TRUE(release.has_value());
  EXPECT_FALSE(a.is_leader(kStart));
  ASSERT_TRUE(server.Write(false, *release));
  const Json spec = server.Read().json()["spec"];
  EXPECT_EQ(spec["holderIdentity"], "");
  EXPECT_EQ(spec["leaseDurationSeconds"], 1);
  RunUntilWait(b, server, kStart + seconds(1));
  EXPECT_TRUE(b.is_leader(kStart + seconds(1)));
}

TEST(Election, WhoDoesNotLeadHasNothingToRelease) {
  LeaseServer server;
  Election a = Candidate("a");
  Election b = Candidate("b");
  RunUntilWait(a, server, kStart);
  RunUntilWait(b, server, kStart);
  EXPECT_FALSE(b.Release(kWall).has_value());
}

TEST(Election, FindsThatAWriteOfUnknownOutcomeWasDone) {
  LeaseServer server;
  Election a = Candidate("a");
  ASSERT_EQ(a.Next(kStart).step, Step::kGet);
  a.OnRead(kStart, server.Read());
  ASSERT_EQ(a.Next(kStart).step, Step::kCreate);
  server.Write(true, a.Body(kStart, kWall));
  a.OnFailed(true);  // the answer was lost
  EXPECT_FALSE(a.is_leader(kStart));
  EXPECT_EQ(a.Next(kStart).step, Step::kWait);
  RunUntilWait(a, server, kStart + seconds(2));
  EXPECT_TRUE(a.is_leader(kStart + seconds(2)));
  EXPECT_EQ(server.Read().json()["spec"]["leaseTransitions"], 0);
}

TEST(Election, IgnoresNonsenseInTheLease) {
  LeaseServer server;
  server.Write(
      true,
      {{"metadata", {{"name", "op"}}},
       {"spec",
        {{"holderIdentity", "x"}, {"leaseDurationSeconds", -5}, {"leaseTransitions", "many"}}}});
  Election a = Candidate("a");
  RunUntilWait(a, server, kStart);
  RunUntilWait(a, server, kStart + seconds(14));
  EXPECT_FALSE(a.is_leader(kStart + seconds(14)));
  RunUntilWait(a, server, kStart + seconds(15));
  EXPECT_TRUE(a.is_leader(kStart + seconds(15)));
  EXPECT_EQ(server.Read().json()["spec"]["leaseTransitions"], 1);
}

// Candidates on one server under lost requests, lost answers, slow calls and pauses of processes.
class ElectionRun {
 public:
  explicit ElectionRun(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) Join(kStart);
  }
  void Run() {
    for (int step = 0; step < 400; ++step) {
      auto next = std::ranges::min_element(actors_, {}, [](const auto& a) { return a->due; });
      now_ = std::max(now_, (*next)->due);
      Act(**next);
      const auto leaders = std::ranges::count_if(
          actors_, [&](const auto& actor) { return actor->election.is_leader(now_); });
      ASSERT_LE(leaders, 1) << "at step " << step;
      was_led_ = was_led_ || leaders == 1;
    }
    EXPECT_TRUE(was_led_);
  }

 private:
  struct Actor {
    Election election;
    Election::Time due;
    std::function<void()> result;  // of the call that is under way, when it ends
  };

  void Join(Election::Time when) {
    actors_.push_back(std::make_unique<Actor>(
        Actor{Candidate("c" + std::to_string(next_identity_++), random_.Next()), when, nullptr}));
  }
  // A call: executed at some time before its end, or not at all; its answer may be lost.
  void Begin(Actor& actor, bool is_write, bool is_new) {
    const bool is_lost = random_.Below(10) == 0;
    const bool is_answer_lost = random_.Below(10) == 0;
    const auto took = milliseconds(random_.Below(random_.Below(8) == 0 ? 20'000 : 200));
    const Json body =
        is_write ? actor.election.Body(now_, kWall + now_.time_since_epoch()) : Json();
    Object object;
    if (!is_lost) object = is_write ? server_.Write(is_new, body) : server_.Read();
    const bool is_ok = !is_lost && !is_answer_lost && (!is_write || object);
    actor.due = now_ + took;
    actor.result = [this, &actor, is_write, is_ok, object] {
      if (!is_ok) return actor.election.OnFailed(true);
      is_write ? actor.election.OnWritten(now_, object) : actor.election.OnRead(now_, object);
    };
  }
  void Act(Actor& actor) {
    if (actor.result) {
      std::exchange(actor.result, nullptr)();
      if (random_.Below(30) == 0) actor.due = now_ + seconds(random_.Below(40));  // paused
      return;
    }
    if (actor.election.has_lost(now_)) {
      std::erase_if(actors_, [&](const auto& other) { return other.get() == &actor; });
      return Join(now_ + seconds(1));
    }
    const Election::Action action = actor.election.Next(now_);
    if (action.step == Step::kWait) {
      actor.due = now_ + action.wait;
    } else {
      Begin(actor, action.step != Step::kGet, action.step == Step::kCreate);
    }
  }

  base::SeededRandom random_;
  LeaseServer server_;
  Election::Time now_ = kStart;
  std::vector<std::unique_ptr<Actor>> actors_;
  int next_identity_ = 0;
  bool was_led_ = false;
};

TEST(Election, NeverHasTwoLeadersUnderFaults) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    ElectionRun(seed).Run();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace etcd::kube
