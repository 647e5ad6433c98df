// What happens between machines: partitions of all shapes, slow and clogged links.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/simulation/faults.h"

namespace etcd::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

void Faults::StartNetwork() {
  if (cluster_.machines() < 2) return;
  network_.on_snapshot_received = [this](int machine) { ReplaceLeader(machine); };
  Repeat(options_.network.cut_every, [this] { Partition(); });
  Repeat(options_.network.slow_every, [this] {
    const auto [from, to] = DrawLink();
    world_.Count("slow link");
    network_.SlowDown(from, to, Between(world_.random.faults, milliseconds(5), seconds(1)));
    world_.After(Between(world_.random.faults, seconds(1), seconds(10)),
                 [this, from = from, to = to] { network_.SlowDown(from, to, Nanos(0)); });
  });
  Repeat(options_.network.clog_every, [this] {
    const auto [from, to] = DrawLink();
    world_.Count("clogged link");
    network_.Clog(from, to,
                  world_.now() + Between(world_.random.faults, milliseconds(50), seconds(5)));
  });
}

std::pair<int, int> Faults::DrawLink() {
  const int from = cluster_.DrawVictim(world_.random.faults);
  const auto others = static_cast<std::uint64_t>(cluster_.machines() - 1);
  int to = 1 + static_cast<int>(world_.random.faults.Below(others));
  if (to >= from) ++to;
  return world_.random.faults.Below(2) == 0 ? std::pair(from, to) : std::pair(to, from);
}

// Less than half of the machines, the leader among them in most draws.
std::vector<int> Faults::DrawGroup() {
  std::vector<int> group;
  std::vector<int> rest = cluster_.InUse();
  const std::size_t size =
      1 + world_.random.faults.Below(std::max<std::size_t>(1, rest.size() / 2));
  if (const int leader = cluster_.LeaderMachine();
      leader != 0 && Chance(world_.random.faults, 700)) {
    group.push_back(leader);
    std::erase(rest, leader);
  }
  while (group.size() < size && !rest.empty()) {
    const std::size_t i = world_.random.faults.Below(rest.size());
    group.push_back(rest[i]);
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return group;
}

void Faults::CutOff(const std::vector<int>& group) {
  // Both ways, or one of them.
  const std::uint64_t shape = world_.random.faults.Below(4);
  world_.Count(shape < 2 ? "partition" : "one-way partition");
  world_.Trace(fmt::format("network: {} cut off {}", fmt::join(group, " "), shape));
  const Nanos mended = Between(world_.random.faults, milliseconds(50), seconds(8));
  CutUntil(group, shape != 2, shape != 3, mended);
}

// Nothing gets out of the group, or into it, for so long.
void Faults::CutUntil(const std::vector<int>& group, bool outwards, bool inwards, Nanos mended) {
  const auto inside = [&](int machine) {
    return std::find(group.begin(), group.end(), machine) != group.end();
  };
  for (int other = 1; other <= cluster_.machines(); ++other) {
    if (inside(other)) continue;
    for (const int one : group) {
      if (outwards) network_.Cut(one, other);
      if (inwards) network_.Cut(other, one);
      world_.After(mended, [this, one, other] {
        network_.Mend(one, other);
        network_.Mend(other, one);
      });
    }
  }
}

void Faults::Partition() {
  const std::uint64_t shape = world_.random.faults.Below(10);
  if (shape < 6) return CutOff(DrawGroup());
  if (shape < 8) return Swizzle();
  if (shape == 8) return MuteLeader();
  // Two that do not hear each other, while all others hear both.
  const auto [from, to] = DrawLink();
  world_.Count("broken link");
  network_.Cut(from, to);
  if (world_.random.faults.Below(2) == 0) network_.Cut(to, from);
  world_.After(Between(world_.random.faults, milliseconds(50), seconds(8)),
               [this, from = from, to = to] {
                 network_.Mend(from, to);
                 network_.Mend(to, from);
               });
}

// The leader hears the others later and later, so that it never misses them, until nobody hears it.
// What they told it before they chose another one, answers to its heartbeats among it, arrives when
// that one has taken over.
void Faults::MuteLeader() {
  const int leader = cluster_.LeaderMachine();
  if (leader == 0) return;
  world_.Count("mute leader");
  const Nanos late = Between(world_.random.faults, milliseconds(300), seconds(3));
  const Nanos mute = late * 3 / 2;
  const Nanos mended = mute + Between(world_.random.faults, seconds(1), seconds(6));
  world_.Trace(fmt::format("network: m{} will hear {} ms late, and then be mute", leader,
                           late.count() / 1'000'000));
  for (int other = 1; other <= cluster_.machines(); ++other) {
    if (other == leader) continue;
    for (Nanos at{0}; at <= mute; at += milliseconds(100)) {
      world_.After(at, [this, leader, other, by = at * 2 / 3] {
        if (!healed_) network_.SlowDown(other, leader, by);
      });
    }
    world_.After(mute, [this, leader, other] {
      if (!healed_) network_.Cut(leader, other);
    });
    world_.After(mended, [this, leader, other] {
      network_.Mend(leader, other);
      network_.SlowDown(other, leader, Nanos(0));
    });
  }
}

// Who sent a snapshot is cut off before it is installed, which takes until another leader, whose
// log may have gone on without it, has sent the next one.
void Faults::ReplaceLeader(int receiver) {
  const int leader = cluster_.LeaderMachine();
  const std::uint64_t share = options_.network.second_leader_per_mille;
  if (share == 0 || healed_ || leader == 0 || leader == receiver) return;
  if (!Chance(world_.random.faults, share)) return;
  world_.Count("leader lost when its snapshot arrived");
  world_.Trace(fmt::format("network: m{} cut off, its snapshot is at m{}", leader, receiver));
  FillEngine(cluster_.machine(receiver), Between(world_.random.faults, seconds(1), seconds(8)));
  CutUntil({leader}, true, true, Between(world_.random.faults, seconds(2), seconds(8)));
}

// Some machines go off one after the other, and come back in another order.
void Faults::Swizzle() {
  world_.Count("swizzle");
  Nanos at{0};
  for (const int machine : cluster_.InUse()) {
    if (world_.random.faults.Below(2) == 0) continue;
    at += Between(world_.random.faults, Nanos(0), milliseconds(800));
    const Nanos back = seconds(3) + Between(world_.random.faults, Nanos(0), seconds(3));
    for (int other = 1; other <= cluster_.machines(); ++other) {
      if (other == machine) continue;
      world_.After(at, [this, machine, other] {
        if (healed_) return;
        network_.Cut(machine, other);
        network_.Cut(other, machine);
      });
      world_.After(at + back, [this, machine, other] {
        network_.Mend(machine, other);
        network_.Mend(other, machine);
      });
    }
  }
}

}  // namespace etcd::simulation
