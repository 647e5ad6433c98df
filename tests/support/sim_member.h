#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/random.h"
#include "server/node/member.h"
#include "server/ports/peer_transport.h"
#include "server/storage/engine/mem_engine.h"
#include "tests/support/sim_disk.h"
#include "tests/support/sim_scheduler.h"

namespace etcdserverpb {
class InternalRaftRequest;
}

namespace etcd::testing {

// One member on a simulated machine: its disk and engine outlive the process, which can be killed
// at any step. The production node runs unchanged on the scheduler's executors.
class SimMember {
 public:
  explicit SimMember(std::uint64_t seed, node::MemberOptions options = DefaultOptions());
  // One of several on a scheduler (SimCluster): `first_process` and the 2^32 numbers after it are
  // this machine's.
  struct Machine {
    SimScheduler& scheduler;
    std::uint64_t first_process = 0;
    std::uint64_t seed = 0;
    ports::PeerTransport& peers;
  };
  SimMember(const Machine& machine, node::MemberOptions options);
  ~SimMember();

  static node::MemberOptions DefaultOptions();

  // Opens and starts a new process; returns when it serves. The error of opening, if any.
  absl::Status Boot();
  // Only opens and starts.
  absl::Status Open();
  // The process is gone between two steps: nothing of its memory is left, the disk is untouched.
  void Kill();
  // Kill and power cut: un-synced bytes and unflushed batches are lost as `seed` draws.
  void Crash(std::uint64_t seed);
  // A clean stop.
  void Stop();

  // Proposes with a fresh id; `fill` sets the operation. The answer arrives later.
  struct Pending {
    std::optional<apply::Result> result;
  };
  std::shared_ptr<Pending> Propose(
      const std::function<void(etcdserverpb::InternalRaftRequest&)>& fill);
  // The same, and runs until it is answered.
  apply::Result Run(const std::function<void(etcdserverpb::InternalRaftRequest&)>& fill);
  apply::Result Put(std::string_view key, std::string_view value, std::int64_t lease = 0);
  // The value at the head of the store, "" when absent.
  std::string Get(std::string_view key);
  bool WaitFor(const std::function<bool()>& condition) { return scheduler.RunUntil(condition); }

  node::Member& operator*() { return *member_; }
  node::Member* operator->() { return member_.get(); }
  bool is_running() const { return member_ != nullptr; }
  // Set when the member asked for the end of its process.
  const std::optional<std::string>& fatal() const { return fatal_; }
  bool is_ready() const { return is_ready_; }
  // It was told that it has been removed from the cluster.
  bool is_removed() const { return is_removed_; }

 private:
  std::unique_ptr<SimScheduler> own_scheduler_;

 public:
  SimScheduler& scheduler;
  SimDisk disk;
  engine::MemEngine engine;
  node::MemberOptions options;
  ports::PeerClient* peer_client = nullptr;  // of the processes that start from now on
  // Of the processes opened from now on.
  node::MemberObserver* observer = nullptr;
  std::function<void(node::Member&)> before_start;

 private:
  base::SeededRandom random_;
  ports::NoPeers no_peers_;
  ports::PeerTransport& peers_;
  std::uint64_t process_ = 0;
  std::unique_ptr<node::Member> member_;
  bool is_ready_ = false;
  bool is_removed_ = false;
  std::optional<std::string> fatal_;
};

}  // namespace etcd::testing
