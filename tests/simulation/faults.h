#pragma once

#include <functional>
#include <map>
#include <vector>

#include "tests/simulation/cluster.h"
#include "tests/simulation/network.h"
#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// Breaks things at the rates of the options, until told to stop; then what it broke is mended.
class Faults {
 public:
  Faults(World& world, Cluster& cluster, Network& network, const Options& options)
      : world_(world), cluster_(cluster), network_(network), options_(options) {}

  void Start();
  // Nothing breaks any more and every device works.
  void Heal();
  // A device is out of order: opening may fail.
  bool IsFull(int machine) const;

 private:
  void Repeat(Nanos every, std::function<void()> fault);
  SimMember& Victim();
  Death AnyDeath();
  void FillDisk();
  void FillEngine(SimMember& victim, Nanos duration);

  // network_faults.cc
  void StartNetwork();
  void Partition();
  void Swizzle();
  void MuteLeader();
  void ReplaceLeader(int receiver);
  void CutOff(const std::vector<int>& group);
  void CutUntil(const std::vector<int>& group, bool outwards, bool inwards, Nanos mended);
  std::vector<int> DrawGroup();
  std::pair<int, int> DrawLink();

  World& world_;
  Cluster& cluster_;
  Network& network_;
  const Options& options_;
  bool healed_ = false;
  std::map<int, int> disk_full_;
  std::map<int, int> engine_full_;
};

}  // namespace etcd::simulation
