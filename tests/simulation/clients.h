#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/cluster.h"
#include "tests/simulation/history.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// What the clients of a run have in common.
struct Clients {
  Clients(World& w, Ledger& l, History& h, Cluster& c, const Options& o)
      : world(w), ledger(l), history(h), cluster(c), options(o) {}

  World& world;
  Ledger& ledger;
  History& history;
  Cluster& cluster;
  const Options& options;

  bool quiet = false;                // phase 2: nothing new is begun
  std::uint64_t next_id = 1;         // of writes: their values name them
  std::vector<std::int64_t> leases;  // granted, as far as clients know
  std::uint64_t operations = 0;      // answered

  base::Random& random() { return world.random.workload; }
  std::string AnyKey();
  // The cluster never has more than one member, so that nobody can be behind.
  bool is_alone() const { return options.members == 1 && options.spare_machines == 0; }
  // Of an acknowledged or unknown outcome? By the text of the error, as a client must decide.
  static bool IsUnknown(const absl::Status& status);
};

// The member that a client talks to, until it tries another one.
class Home {
 public:
  explicit Home(Clients& shared) : shared_(shared) {}
  SimMember& member() {
    if (number_ == 0 || !shared_.cluster.IsInUse(number_)) Move();
    return shared_.cluster.machine(number_);
  }
  void Move() { number_ = shared_.cluster.Draw(shared_.random()); }

 private:
  Clients& shared_;
  int number_ = 0;
};

inline std::string Clients::AnyKey() {
  const auto keys = static_cast<std::uint64_t>(options.keys);
  return "k" + std::to_string(100 + random().Below(keys));
}

}  // namespace etcd::simulation
