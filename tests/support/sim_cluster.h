#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/sim_member.h"
#include "tests/support/sim_network.h"
#include "tests/support/sim_scheduler.h"

namespace etcd::testing {

// Several members, each on a simulated machine, on one seeded scheduler and network. Members are
// numbered from 0.
class SimCluster {
 public:
  // `shape` changes the options of each member before it is made.
  SimCluster(std::uint64_t seed, std::size_t members,
             const std::function<void(node::MemberOptions&)>& shape = nullptr);
  ~SimCluster();

  SimMember& operator[](std::size_t i) { return *members_.at(i); }
  std::size_t size() const { return members_.size(); }

  // Opens and starts every member; true when all serve.
  bool Boot();
  // Opens and starts one; the error of opening, if any. It serves later.
  absl::Status Open(std::size_t i);
  // These two take the disk's fault hook away.
  void Kill(std::size_t i);
  void Crash(std::size_t i, std::uint64_t seed);
  void Stop(std::size_t i);

  // The member that leads in the highest term of those that run; nullopt: none does.
  std::optional<std::size_t> Leader();
  // Waits for a leader and returns it.
  std::size_t AwaitLeader();
  // The running members have all applied the same index, and nothing is left to do.
  bool AwaitConverged();
  bool WaitFor(const std::function<bool()>& condition) { return scheduler.RunUntil(condition); }
  // HashKv of the head, the same on all running members; nullopt when they differ.
  std::optional<std::uint32_t> CommonHash();

  SimScheduler scheduler;
  SimNetwork network;

 private:
  void Detach(std::size_t i);

  std::vector<std::unique_ptr<SimMember>> members_;
};

}  // namespace etcd::testing
