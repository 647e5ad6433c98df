#include "tests/simulation/cluster.h"

#include <utility>

#include <fmt/format.h>

#include "server/base/check.h"
#include "server/base/status.h"

namespace etcd::simulation {
namespace {

using std::chrono::seconds;

double DrawRate(World& world, std::int64_t drift_per_mille) {
  const auto span = static_cast<std::uint64_t>(2 * drift_per_mille + 1);
  const auto drawn = static_cast<std::int64_t>(world.random.clock.Below(span)) - drift_per_mille;
  return 1 + static_cast<double>(drawn) / 1000;
}

}  // namespace

Cluster::Cluster(const Site& site) : site_(site), world_(site.world) {
  std::vector<node::InitialMember> founders;
  for (int i = 1; i <= site.options.members; ++i) {
    founders.push_back({"m" + std::to_string(i), {Network::UrlOf(i)}});
  }
  const int count = site.options.members + site.options.spare_machines;
  machines_.resize(static_cast<std::size_t>(count));
  for (int i = 1; i <= count; ++i) {
    Machine& machine = At(i);
    machine.member =
        std::make_unique<SimMember>(site, i, DrawRate(world_, site.options.clock_drift_per_mille));
    machine.member->SetInitialCluster(founders);
    machine.member->on_down = [this, i] { OnDown(i); };
    machine.member->on_removed = [this, i] { At(i).in_use = false; };
  }
}

void Cluster::Start() {
  for (int i = 1; i <= site_.options.members; ++i) {
    At(i).in_use = true;
    world_.After(Between(world_.random.faults, Nanos(0), std::chrono::milliseconds(300)),
                 [this, i] { Boot(i); });
  }
}

void Cluster::Boot(int number) {
  Machine& machine = At(number);
  if (!machine.in_use || machine.kept_down || machine.lost) return;
  if (machine.member->is_running()) return;
  const absl::Status status = machine.member->Start();
  if (status.ok() || base::MessageOf(status).starts_with("simulated:")) return;
  if (may_fail_to_open && may_fail_to_open(number)) return;
  if (machine.member->is_damaged()) {
    world_.Count("damage on disk found");
    return Lose(number);
  }
  world_.Fail(
      fmt::format("{} does not start: {}", machine.member->name(), base::MessageOf(status)));
}

void Cluster::OnDown(int number) {
  Machine& machine = At(number);
  if (!machine.in_use) return Wipe(number);
  world_.After(Between(world_.random.faults, Nanos(0), seconds(2)),
               [this, number] { Boot(number); });
}

std::vector<int> Cluster::InUse() const {
  std::vector<int> out;
  for (int i = 1; i <= machines(); ++i) {
    if (At(i).in_use) out.push_back(i);
  }
  return out;
}

int Cluster::Spare() const {
  for (int i = 1; i <= machines(); ++i) {
    if (!At(i).in_use && !At(i).member->is_running()) return i;
  }
  return 0;
}

int Cluster::MachineOf(MemberId id) const {
  for (int i = 1; id && i <= machines(); ++i) {
    if (At(i).in_use && At(i).member->id() == id) return i;
  }
  return 0;
}

int Cluster::LeaderMachine() const { return MachineOf(site_.raft.leader()); }

int Cluster::Draw(base::Random& random) const {
  const std::vector<int> in_use = InUse();
  CHECK(!in_use.empty()) << "a cluster without machines";
  return in_use[random.Below(in_use.size())];
}

int Cluster::DrawVictim(base::Random& random) const {
  const int leader = LeaderMachine();
  if (random.Below(2) == 0 && leader != 0) return leader;
  return Draw(random);
}

void Cluster::Join(int number, MemberId id, const etcdserverpb::MemberListResponse& members) {
  Machine& machine = At(number);
  CHECK(!machine.in_use && !machine.member->is_running()) << "no spare machine";
  machine.member->SetJoined(id, members, Version());
  machine.in_use = true;
  Boot(number);
}

std::string Cluster::Version() const {
  for (const int number : InUse()) {
    if (std::string version = At(number).member->ClusterVersion(); !version.empty()) return version;
  }
  return "";
}

void Cluster::Lose(int number) {
  Machine& machine = At(number);
  world_.Trace(machine.member->name() + ": lost");
  machine.lost = true;
  if (machine.member->is_running()) machine.member->Die(Death::kPower);
}

void Cluster::Retire(int number) {
  Machine& machine = At(number);
  if (!machine.in_use) return;
  machine.in_use = false;
  machine.lost = false;
  if (machine.member->is_running()) {
    machine.member->Die(Death::kProcess);
  } else {
    Wipe(number);
  }
}

void Cluster::Wipe(int number) {
  SimMember& member = machine(number);
  gone_.insert(member.id());
  member.Wipe();
}

void Cluster::KeepDown(int number, bool down) {
  At(number).kept_down = down;
  if (down) {
    if (At(number).member->is_running()) At(number).member->Die(Death::kProcess);
  } else {
    Boot(number);
  }
}

}  // namespace etcd::simulation
