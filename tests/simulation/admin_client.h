#pragma once

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <functional>
#include <string>

#include "tests/simulation/clients.h"

namespace etcd::simulation {

// The operator of the cluster: adds, promotes, removes and moves members, one step at a time. Where
// an outcome is unknown it looks again, and goes on from what the cluster says.
class AdminClient {
 public:
  explicit AdminClient(Clients& shared) : shared_(shared), home_(shared) {}
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;

  void Start();
  // Phase 2: nothing new, but what was begun comes to its end.
  void Settle();
  // Every member in the cluster's list has its machine, and every machine is in the list.
  bool IsSettled() const { return is_settled_ && !busy_; }

 private:
  using Members = etcdserverpb::MemberListResponse;

  void Repeat(Nanos every, std::function<void()> operation);
  void Call(SimMember& member, const std::string& path, const std::string& request,
            std::function<void(const Reply&)> then);
  void Look(std::function<void(const Members&)> then);
  void LookBehind();
  void Reconfigure();
  // One step towards the list; false when there is nothing to do.
  bool Follow(const Members& list);
  bool StartAdded(const Members& list);
  void Change(const Members& list);
  void Add(bool is_learner);
  void Promote(const Members& list);
  void Remove(const Members& list);
  void Update(const Members& list);
  // A machine loses its disks, or a bit of them flips, where the others can do without it.
  void Ruin();
  bool CanDoWithoutOne(const Members& list) const;
  bool IsDamaged(const Members& list) const;
  // A lost machine's member is taken out, a missing one is added.
  void Repair();
  void TakeOut(MemberId id);
  void MoveLeader();
  void Defragment();

  Clients& shared_;
  Home home_;
  bool busy_ = false;
  bool is_settled_ = false;
  std::uint64_t call_ = 0;
  Nanos sure_at_{0};  // from then on nothing of an operation that was given up can happen any more
};

}  // namespace etcd::simulation
