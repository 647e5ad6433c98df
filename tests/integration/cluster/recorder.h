#pragma once

#include <cstdint>
#include <etcdserverpb/rpc.pb.h>
#include <memory>
#include <string>
#include <string_view>

#include "tests/integration/cluster/endpoint.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/watch_check.h"

namespace etcd::cluster {

// The history of all revisions as the members' watches tell it, in the ledger that the simulation's
// checkers read. A revision that is told again, by whichever member, must be the same.
class Feed {
 public:
  Feed(simulation::World& world, simulation::Ledger& ledger) : world_(world), ledger_(ledger) {}
  void OnEvents(const etcdserverpb::WatchResponse& response);
  // Before it is asked for: watchers may be told of it from then on.
  void OnCompactionRequested(std::int64_t revision);

 private:
  simulation::World& world_;
  simulation::Ledger& ledger_;
};

// Watches everything on one member, from the first revision that the member has, through all
// reconnections, and checks what it is told.
class Recorder {
 public:
  struct Options {
    bool prev_kv = false;
    bool progress = false;  // asks for progress marks (etcd before 3.4.25 and 3.5.8: #15220)
  };

  Recorder(simulation::World& world, simulation::Ledger& ledger, Feed& feed, Endpoint& endpoint,
           Options options);
  void Tick(SteadyClock::time_point now);
  // Everything up to this revision was delivered.
  bool HasReached(std::int64_t revision) const { return check_.next() > revision; }
  std::int64_t next() const { return check_.next(); }

 private:
  void Open();
  void OnMessage(std::string_view message);
  void OnCanceled(const etcdserverpb::WatchResponse& response);
  void Expect(const std::string& wrong);

  simulation::World& world_;
  simulation::Ledger& ledger_;
  Feed& feed_;
  Endpoint& endpoint_;
  const Options options_;
  simulation::WatchCheck check_;
  bool is_open_ = false;
  std::int32_t stream_ = 0;
  SteadyClock::time_point next_progress_;
};

}  // namespace etcd::cluster
