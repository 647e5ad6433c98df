#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/member.h"
#include "tests/simulation/network.h"

namespace etcd::simulation {

// The machines of a run, those with a member of the cluster and spare ones, and the hand that
// restarts what died.
class Cluster {
 public:
  explicit Cluster(const Site& site);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // The founding members start.
  void Start();
  // Numbered from 1.
  SimMember& machine(int number) { return *machines_[static_cast<std::size_t>(number) - 1].member; }
  int machines() const { return static_cast<int>(machines_.size()); }

  // Machines that belong to the cluster as far as their operator knows; they may be down.
  std::vector<int> InUse() const;
  bool IsInUse(int number) const { return At(number).in_use; }
  // A machine without a member; 0: none.
  int Spare() const;
  // Where the leader of the highest term lives; 0: nowhere.
  int LeaderMachine() const;
  // The machine of a member; 0: none.
  int MachineOf(MemberId id) const;
  // For faults: any that is in use, the leader in half of the draws.
  int DrawVictim(base::Random& random) const;
  // Some machine in use, for a client.
  int Draw(base::Random& random) const;

  // A spare machine runs the member that was added under this id.
  void Join(int number, MemberId id, const etcdserverpb::MemberListResponse& members);
  // The machine that ran this member has new disks.
  bool IsGone(MemberId id) const { return gone_.contains(id); }
  // As the first machine that knows it says; "": none does.
  std::string Version() const;
  // Its operator takes it out of the cluster; it stops, and is spare again with new disks.
  void Retire(int number);

  // Its disks are lost, or not to be trusted: it stays down until its operator retires it.
  void Lose(int number);
  bool IsLost(int number) const { return At(number).lost; }

  // Phase 2: machines that are kept down although they belong to the cluster.
  void KeepDown(int number, bool down);
  bool IsKeptDown(int number) const { return At(number).kept_down; }

  // A device is out of order: opening may fail.
  std::function<bool(int machine)> may_fail_to_open;

 private:
  struct Machine {
    std::unique_ptr<SimMember> member;
    bool in_use = false;
    bool kept_down = false;
    bool lost = false;
  };

  const Machine& At(int number) const { return machines_[static_cast<std::size_t>(number) - 1]; }
  Machine& At(int number) { return machines_[static_cast<std::size_t>(number) - 1]; }
  void Boot(int number);
  void OnDown(int number);
  void Wipe(int number);

  const Site site_;
  World& world_;
  std::vector<Machine> machines_;
  std::set<MemberId> gone_;
};

}  // namespace etcd::simulation
