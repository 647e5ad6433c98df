#pragma once

#include <functional>

#include "tests/simulation/member.h"
#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// Breaks things at the rates of the options, until told to stop; then what it broke is mended.
class Faults {
 public:
  Faults(World& world, SimMember& member, const Options& options)
      : world_(world), member_(member), options_(options) {}

  void Start();
  // Nothing breaks any more and every device works.
  void Heal();
  // A device is out of order: opening may fail.
  bool disk_is_full() const { return disk_full_ > 0; }

 private:
  void Repeat(Nanos every, std::function<void()> fault);
  Death AnyDeath();
  void FillDisk();
  void FillEngine();

  World& world_;
  SimMember& member_;
  const Options& options_;
  bool healed_ = false;
  int disk_full_ = 0;
  int engine_full_ = 0;
};

}  // namespace etcd::simulation
