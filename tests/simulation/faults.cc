#include "tests/simulation/faults.h"

#include <memory>
#include <utility>

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

void Faults::Start() {
  Repeat(options_.kill_every, [this] { member_.Die(Death::kProcess); });
  Repeat(options_.power_loss_every, [this] { member_.Die(Death::kPower); });
  Repeat(options_.kill_at_step_every,
         [this] { member_.DieAtChange(1 + world_.random.faults.Below(60), AnyDeath()); });
  Repeat(options_.stop_every, [this] { member_.Stop(); });
  Repeat(options_.pause_every,
         [this] { member_.Pause(Between(world_.random.faults, milliseconds(100), seconds(6))); });
  Repeat(options_.disk_full_every, [this] { FillDisk(); });
  Repeat(options_.engine_full_every, [this] { FillEngine(); });
  Repeat(options_.sync_error_every, [this] { member_.FailNextSync(); });
  Repeat(options_.wall_jump_every, [this] {
    member_.JumpWallClock(Between(world_.random.clock, -seconds(3600), seconds(3600)));
  });
}

void Faults::FillDisk() {
  world_.Count("disk full");
  world_.Trace("disk: full");
  ++disk_full_;
  // Sometimes the last bytes are left.
  member_.disk().SetCapacity(member_.disk().used_bytes() + world_.random.faults.Below(3'000));
  world_.After(Between(world_.random.faults, milliseconds(10), seconds(8)), [this] {
    if (--disk_full_ > 0) return;
    world_.Trace("disk: has room");
    member_.disk().SetCapacity(UINT64_MAX);
  });
}

void Faults::FillEngine() {
  world_.Count("engine full");
  world_.Trace("engine: full");
  ++engine_full_;
  member_.engine().SetFull(true);
  world_.After(Between(world_.random.faults, milliseconds(10), seconds(8)), [this] {
    if (--engine_full_ > 0) return;
    world_.Trace("engine: has room");
    member_.engine().SetFull(false);
  });
}

// Full devices get room by themselves within seconds, before anything is expected of the member.
void Faults::Heal() { healed_ = true; }

}  // namespace etcd::simulation
