#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/raft/cluster.h"
#include "tests/unit/raft/describe.h"

// Seeded chaos over whole clusters: every step (tick, take, write, apply, deliver, lose, repeat,
// reorder, crash, restart, partition, membership change, transfer, read, snapshot) in any order the
// contract of ready.h allows. Safety is checked after each step, liveness after the faults end.
// RAFT_SEEDS=<first>-<last> runs other seeds.
namespace etcd::raft {
namespace {

using testing::IsEmpty;

struct Swarm {  // drawn per seed
  ClusterOptions cluster;
  std::uint64_t loss = 0;  // per mille
  std::uint64_t repeat = 0;
  std::uint64_t crash = 0;
  std::uint64_t partition = 0;
  std::uint64_t membership = 0;
  std::uint64_t snapshot = 0;
  std::uint64_t pause = 0;
  bool reorder = false;
};

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random_(seed), swarm_(Draw(seed)), cluster_(swarm_.cluster) {
    next_member_ = swarm_.cluster.voters + swarm_.cluster.learners + 1;
  }

  void Run(int steps) {
    for (int i = 0; i < steps && cluster_.invariants().violations().empty(); ++i) Step();
  }

  // Faults end: the cluster must agree on something new.
  void Recover() {
    cluster_.Heal();
    paused_ = MemberId();
    for (const auto& [id, member] : cluster_.members()) {
      if (!member->alive()) member->Restart();
    }
    const std::size_t answered = cluster_.invariants().reads_answered();
    bool done = false;
    for (int tick = 0; tick < 600 && !done; ++tick) {
      cluster_.Tick(1);
      if (!cluster_.invariants().violations().empty()) return;
      const std::uint64_t leader = cluster_.leader();
      if (leader == 0) continue;
      if (tick % 50 == 0) {
        cluster_.core(leader).Propose("final");
        cluster_.Read(leader, "final " + std::to_string(tick));
      }
      done = tick > 100 && Converged(leader) && cluster_.invariants().reads_answered() > answered;
    }
    EXPECT_TRUE(done) << "no agreement after the faults ended\n" << Dump();
  }

  bool Converged(std::uint64_t leader) {
    const Core& core = cluster_.core(leader);
    const ConfState& conf = core.conf_state();
    for (const auto* ids : {&conf.voters, &conf.learners}) {
      for (const MemberId id : *ids) {
        TestMember& member = cluster_[id.value()];
        if (member.machine().applied != core.last_index()) return false;
        if (member.machine().hash != cluster_[leader].machine().hash) return false;
      }
    }
    return core.committed() == core.last_index();
  }

  std::string Dump() {
    std::string out;
    for (const auto& [id, member] : cluster_.members()) {
      if (member->alive()) out += Describe(member->core().status());
    }
    return out;
  }

  const Invariants& invariants() { return cluster_.invariants(); }
  std::uint64_t trace() const { return trace_; }

 private:
  static Swarm Draw(std::uint64_t seed) {
    base::SeededRandom random(seed * 7919 + 1);
    const auto maybe = [&random](std::uint64_t max) {
      return random.Below(2) == 0 ? 0 : random.Below(max) + 1;
    };
    Swarm swarm;
    swarm.cluster.voters = 2 + random.Below(4);
    swarm.cluster.learners = random.Below(2);
    swarm.cluster.seed = seed;
    Config& config = swarm.cluster.config;
    config.election_ticks = 5 + static_cast<int>(random.Below(6));
    config.pre_vote = random.Below(3) != 0;
    config.check_quorum = random.Below(4) != 0;
    if (random.Below(2) == 0) config.message_bytes_max = 20;
    if (random.Below(2) == 0) config.committed_bytes_max = 20;
    if (random.Below(2) == 0) config.applying_bytes_max = 60;
    if (random.Below(2) == 0) config.inflight_messages_max = 1 + random.Below(4);
    if (random.Below(3) == 0) config.inflight_bytes_max = 40;
    if (random.Below(3) == 0) config.uncommitted_bytes_max = 60;
    swarm.loss = maybe(200);
    swarm.repeat = maybe(100);
    swarm.crash = maybe(8);
    swarm.partition = maybe(5);
    swarm.membership = maybe(10);
    swarm.snapshot = maybe(20);
    swarm.pause = maybe(10);
    swarm.reorder = random.Below(2) == 0;
    return swarm;
  }

  bool Chance(std::uint64_t per_mille) { return random_.Below(1000) < per_mille; }

  TestMember& AnyMember() {
    auto it = cluster_.members().begin();
    std::advance(it, random_.Below(cluster_.members().size()));
    return *it->second;
  }

  void Step() {
    if (paused_ && Chance(2)) Wake();
    TestMember& member = AnyMember();
    if (member.id() == paused_) return;
    if (!member.alive()) {
      if (Chance(100)) {
        member.Restart();
        cluster_.Check(member);
      }
      return;
    }
    Work(member);
    cluster_.Check(member);
    Fault(member);
    if (member.alive()) cluster_.Check(member);
    cluster_.Collect();
    for (std::uint64_t n = random_.Below(4); n > 0 && !cluster_.flying.empty(); --n) Network();
    Note(member);
  }

  // The first thing after a pause is often a client's read, before the mail that has gathered.
  void Wake() {
    TestMember& member = cluster_[std::exchange(paused_, MemberId()).value()];
    if (!member.alive() || Chance(300)) return;
    cluster_.Read(member.id().value(), "w" + std::to_string(++proposals_));
    while (member.Take() || member.Persist() || member.Apply()) cluster_.Check(member);
  }

  void Work(TestMember& member) {
    switch (random_.Below(12)) {
      case 0:
        return member.core().Tick();
      case 1:
      case 2:
      case 3:
        member.Take();
        return;
      case 4:
      case 5:
      case 6:
        member.Persist();
        return;
      case 7:
      case 8:
        member.Apply();
        return;
      case 9:
        member.core().Propose(std::to_string(++proposals_));
        return;
      case 10:
        cluster_.Read(member.id().value(), "r" + std::to_string(++proposals_));
        return;
      default:
        while (member.Take() || member.Persist() || member.Apply()) cluster_.Check(member);
    }
  }

  void Network() {
    std::size_t position = swarm_.reorder ? random_.Below(cluster_.flying.size()) : 0;
    // A paused process (etcd issue 20418) finds its mail when it wakes up.
    while (position < cluster_.flying.size() && cluster_.flying[position].to == paused_) {
      ++position;
    }
    if (position == cluster_.flying.size()) return;
    if (Chance(swarm_.loss)) return cluster_.Drop(position);
    if (Chance(swarm_.repeat)) cluster_.flying.push_back(cluster_.flying[position]);
    cluster_.Deliver(position);
  }

  void Fault(TestMember& member) {
    if (Chance(swarm_.crash)) {
      member.Crash(random_.Below(member.writes_under_way() + 1), random_.Below(4),
                   random_.Below(2) == 0);
      cluster_.CrashNoted(member);
      return;
    }
    if (Chance(swarm_.partition)) {
      if (random_.Below(3) == 0) {
        cluster_.Heal();
      } else if (random_.Below(2) == 0) {
        cluster_.Isolate(member.id().value());
      } else {
        cluster_.Cut(member.id().value(), AnyMember().id().value());
      }
    }
    if (Chance(10)) cluster_.Heal();
    if (Chance(swarm_.pause) && !paused_) paused_ = member.id();
    if (Chance(swarm_.snapshot)) member.TakeSnapshot(random_.Below(4));
    if (Chance(swarm_.snapshot)) member.Checkpoint();
    if (Chance(5)) member.core().ReportUnreachable(AnyMember().id());
    if (Chance(5)) member.core().TransferLeadership(AnyMember().id());
    if (Chance(2)) member.core().Campaign();
    if (Chance(swarm_.membership)) ChangeMembership(member);
  }

  // As the layer above would allow it: never the last voters, never an old id again.
  void ChangeMembership(TestMember& member) {
    const ConfState& conf = member.core().conf_state();
    const std::uint64_t kind = random_.Below(4);
    if (kind == 0 && cluster_.members().size() < 8) {
      const std::uint64_t id = next_member_++;
      cluster_.Join(id);
      member.core().ProposeConfChange("learner " + std::to_string(id));
    } else if (kind == 1 && !conf.learners.empty()) {
      const MemberId id = conf.learners[random_.Below(conf.learners.size())];
      member.core().ProposeConfChange("add " + std::to_string(id.value()));
    } else if (kind == 2 && conf.voters.size() > 3 && removals_ < 2) {
      ++removals_;
      const MemberId id = conf.voters[random_.Below(conf.voters.size())];
      member.core().ProposeConfChange("remove " + std::to_string(id.value()));
    } else if (kind == 3 && !conf.learners.empty()) {
      member.core().ProposeConfChange("remove " + std::to_string(conf.learners[0].value()));
    }
  }

  void Note(const TestMember& member) {
    const auto mix = [this](std::uint64_t value) { trace_ = (trace_ ^ value) * 0x100000001b3ULL; };
    mix(member.id().value());
    mix(cluster_.flying.size());
    if (!member.alive()) return;
    mix(member.core().term().value());
    mix(member.core().last_index().value());
    mix(member.core().committed().value());
    mix(static_cast<std::uint64_t>(member.core().role()));
  }

  base::SeededRandom random_;
  Swarm swarm_;
  Cluster cluster_;
  std::uint64_t next_member_;
  MemberId paused_;  // neither works nor receives; 0: none
  std::uint64_t proposals_ = 0;
  int removals_ = 0;
  std::uint64_t trace_ = 0xcbf29ce484222325ULL;
};

std::pair<std::uint64_t, std::uint64_t> Seeds() {
  const char* text = std::getenv("RAFT_SEEDS");
  if (text == nullptr) return {1, 150};
  char* end = nullptr;
  const std::uint64_t first = std::strtoull(text, &end, 10);
  return {first, *end == '-' ? std::strtoull(end + 1, nullptr, 10) : first};
}

TEST(RaftRandom, SafeUnderFaultsAndAliveAfterThem) {
  const auto [first, last] = Seeds();
  std::size_t leaders = 0;
  std::uint64_t committed = 0;
  std::size_t reads = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Chaos chaos(seed);
    chaos.Run(4000);
    chaos.Recover();
    EXPECT_THAT(chaos.invariants().violations(), IsEmpty()) << chaos.Dump();
    leaders += chaos.invariants().leaders_seen();
    committed += chaos.invariants().committed().value();
    reads += chaos.invariants().reads_answered();
    if (HasFailure()) return;
  }
  // The runs did something.
  const std::uint64_t runs = last - first + 1;
  std::printf("%zu leaders, %zu entries, %zu reads in %zu runs\n", leaders,
              static_cast<std::size_t>(committed), reads, static_cast<std::size_t>(runs));
  EXPECT_GT(leaders, runs * 2);
  EXPECT_GT(committed, runs * 30);
  EXPECT_GT(reads, runs * 5);
}

TEST(RaftRandom, SameSeedGivesTheSameTrace) {
  for (std::uint64_t seed = 1000; seed < 1010; ++seed) {
    Chaos one(seed);
    Chaos two(seed);
    one.Run(3000);
    two.Run(3000);
    EXPECT_EQ(one.trace(), two.trace()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace etcd::raft
