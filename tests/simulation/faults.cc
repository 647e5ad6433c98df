#include "tests/simulation/faults.h"

#include <memory>
#include <utility>

#include "tests/simulation/fault_points.h"

namespace etcd::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

// Gaps are uniform around the mean, up to twice of it.
void Faults::Repeat(Nanos every, std::function<void()> fault) {
  if (every == Nanos(0) || healed_) return;
  world_.After(Between(world_.random.faults, Nanos(0), 2 * every),
               [this, every, fault = std::move(fault)]() mutable {
                 if (healed_) return;
                 fault();
                 Repeat(every, std::move(fault));
               });
}

Death Faults::AnyDeath() {
  return world_.random.faults.Below(2) == 0 ? Death::kProcess : Death::kPower;
}

SimMember& Faults::Victim() { return cluster_.machine(cluster_.DrawVictim(world_.random.faults)); }

void Faults::Start() {
  Repeat(options_.kill_every, [this] { Victim().Die(Death::kProcess); });
  Repeat(options_.power_loss_every, [this] { Victim().Die(Death::kPower); });
  Repeat(options_.kill_at_step_every,
         [this] { Victim().DieAtChange(1 + world_.random.faults.Below(60), AnyDeath()); });
  Repeat(options_.kill_at_point_every, [this] {
    const auto points = FaultPoints();
    const std::string_view point = points[world_.random.faults.Below(points.size())];
    Victim().DieAtPoint(point, AnyDeath());
  });
  Repeat(options_.stop_every, [this] { Victim().Stop(); });
  Repeat(options_.pause_every,
         [this] { Victim().Pause(Between(world_.random.faults, milliseconds(100), seconds(6))); });
  Repeat(options_.disk_full_every, [this] { FillDisk(); });
  Repeat(options_.engine_full_every, [this] {
    SimMember& victim = Victim();
    FillEngine(victim, Between(world_.random.faults, milliseconds(10), seconds(8)));
  });
  Repeat(options_.sync_error_every, [this] { Victim().FailNextSync(absl::StatusCode::kInternal); });
  Repeat(options_.sync_full_every,
         [this] { Victim().FailNextSync(absl::StatusCode::kResourceExhausted); });
  Repeat(options_.engine_error_every, [this] { Victim().FailNextEngineWrite(); });
  Repeat(options_.wall_jump_every, [this] {
    Victim().JumpWallClock(Between(world_.random.clock, -seconds(3600), seconds(3600)));
  });
  StartNetwork();
}

bool Faults::IsFull(int machine) const {
  const auto is_full = [machine](const std::map<int, int>& devices) {
    const auto found = devices.find(machine);
    return found != devices.end() && found->second > 0;
  };
  return is_full(disk_full_) || is_full(engine_full_);
}

void Faults::FillDisk() {
  SimMember& victim = Victim();
  world_.Count("disk full");
  world_.Trace(victim.name() + ": disk full");
  ++disk_full_[victim.machine()];
  // Sometimes the last bytes are left.
  victim.disk().SetCapacity(victim.disk().used_bytes() + world_.random.faults.Below(3'000));
  world_.After(Between(world_.random.faults, milliseconds(10), seconds(8)), [this, &victim] {
    if (--disk_full_[victim.machine()] > 0) return;
    world_.Trace(victim.name() + ": disk has room");
    victim.disk().SetCapacity(UINT64_MAX);
  });
}

void Faults::FillEngine(SimMember& victim, Nanos duration) {
  world_.Count("engine full");
  world_.Trace(victim.name() + ": engine full");
  ++engine_full_[victim.machine()];
  victim.engine().SetFull(true);
  world_.After(duration, [this, &victim] {
    if (--engine_full_[victim.machine()] > 0) return;
    world_.Trace(victim.name() + ": engine has room");
    victim.engine().SetFull(false);
  });
}

// Full devices get room by themselves within seconds, before anything is expected of the member.
void Faults::Heal() {
  healed_ = true;
  network_.Heal();
}

}  // namespace etcd::simulation
