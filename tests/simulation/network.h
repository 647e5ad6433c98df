#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/ports/peer_client.h"
#include "server/ports/peer_receiver.h"
#include "server/ports/peer_transport.h"
#include "tests/simulation/options.h"
#include "tests/simulation/raft_check.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

class PeerPort;

// What lies between the machines. Messages travel as the bytes that raftcodec makes of them; they
// may be lost, doubled, late and out of order, each direction of each pair of machines for itself.
class Network {
 public:
  Network(World& world, RaftCheck& raft_check, const Options& run_options)
      : options(run_options), check(raft_check), world_(world) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // A machine has two addresses; members find it under both.
  static std::string UrlOf(int machine, bool second = false);
  static int MachineOf(const std::string& url);

  // ---- Faults, by the numbers of machines.
  void Cut(int from, int to);
  void Mend(int from, int to);
  void SlowDown(int from, int to, Nanos by) { links_[{from, to}].slow = by; }
  // Nothing arrives before `until`, then all of it.
  void Clog(int from, int to, Nanos until) { links_[{from, to}].clogged_until = until; }
  // Every link works, and nothing is lost any more.
  void Heal();
  bool IsCut(int from, int to) const;

  // ---- For the ports.
  void Attach(int machine, PeerPort* port) { ports_[machine] = port; }
  void Detach(int machine, PeerPort* port);
  PeerPort* At(int machine) const;
  World& world() { return world_; }
  // Both directions work, since when (of the world); nullopt: they do not.
  std::optional<Nanos> ConnectedSince(int a, int b) const;
  // `arrive` is called when the bytes come out at the other end; twice, later, or never, as the
  // link wills; `lost` when the sender notices that they do not. For raft's messages.
  void Transmit(int from, int to, bool may_double, std::function<void()> arrive,
                std::function<void()> lost);
  // As over a connection of its own: in time and once, or `lost`.
  void TransmitSafely(int from, int to, std::size_t bytes, std::function<void()> arrive,
                      std::function<void()> lost);
  // The same, to one that has asked and may not answer anybody itself yet.
  void TransmitBack(int from, int to, std::function<void()> arrive, std::function<void()> lost);

  // A machine has all of a snapshot on its disk, and is about to install it.
  std::function<void(int machine)> on_snapshot_received;

  const Options& options;
  RaftCheck& check;

 private:
  struct Link {
    bool is_cut = false;
    Nanos mended{0};
    Nanos slow{0};
    Nanos clogged_until{0};
    Nanos last_due{0};
  };

  Nanos DrawDue(Link& link);
  Nanos DrawDelay(int from, int to, std::size_t bytes);
  // Somebody listens at the other end.
  bool Reaches(int from, int to) const;

  World& world_;
  bool healed_ = false;
  std::map<std::pair<int, int>, Link> links_;
  std::map<int, PeerPort*> ports_;
};

}  // namespace etcd::simulation
