#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/base/random.h"
#include "server/ports/peer_receiver.h"
#include "server/ports/peer_transport.h"
#include "tests/support/sim_scheduler.h"

namespace etcd::testing {

// The network between the members of a SimCluster. Messages travel as the bytes that raftcodec
// makes of them, in order on each link unless `reorder` is set; snapshots travel in chunks. Faults
// are set by the test. One thread; outlives the members.
class SimNetwork {
 public:
  struct Faults {
    double drop = 0;  // share of the messages that get lost
    bool reorder = false;
    std::chrono::nanoseconds delay_min = std::chrono::microseconds(100);
    std::chrono::nanoseconds delay_max = std::chrono::microseconds(500);
  };

  SimNetwork(SimScheduler& scheduler, std::uint64_t seed);
  ~SimNetwork();

  // The port of a machine. It belongs to whatever process runs there: Attach on every start.
  ports::PeerTransport& PortOf(std::size_t machine);
  void Attach(std::size_t machine, MemberId id, ports::PeerReceiver& receiver);
  // The process is gone: snapshots under way to and from it are lost, and what arrives before the
  // next process is there.
  void Detach(std::size_t machine);

  Faults faults;
  // Nothing passes from `from` to `to` until Heal; messages under way are lost.
  void Cut(std::size_t from, std::size_t to) { cut_.emplace(from, to); }
  // No machine of `group` and none outside of it hear each other.
  void Partition(const std::set<std::size_t>& group);
  void Heal() { cut_.clear(); }
  // Called for each message that is sent; false: it is lost.
  std::function<bool(const raft::Message&)> filter;
  // Fails each snapshot after so many bytes; nullopt: none.
  std::optional<std::uint64_t> snapshot_fails_after;

  std::uint64_t snapshots_delivered() const { return snapshots_delivered_; }

 private:
  class Port;
  struct Transfer;

  void SendBytes(std::size_t from, const raft::Message& message);
  void Deliver(std::size_t from, std::size_t to, const std::string& bytes);
  void StartTransfer(std::size_t from, raft::Message message,
                     std::unique_ptr<ports::SnapshotSource> database);
  void Continue(const std::shared_ptr<Transfer>& transfer);
  void End(const std::shared_ptr<Transfer>& transfer, bool ok);
  bool Passes(std::size_t from, std::size_t to) const;
  Port* Find(MemberId id);
  std::chrono::nanoseconds DrawDelay();

  SimScheduler& scheduler_;
  base::SeededRandom random_;
  base::Executor& executor_;
  std::map<std::size_t, std::unique_ptr<Port>> ports_;
  std::set<std::pair<std::size_t, std::size_t>> cut_;
  std::map<std::pair<std::size_t, std::size_t>, base::Clock::Monotonic> last_arrival_;
  std::vector<std::weak_ptr<Transfer>> transfers_;
  std::uint64_t snapshots_delivered_ = 0;
};

}  // namespace etcd::testing
