#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/simulation/history.h"
#include "tests/simulation/ledger.h"
#include "tests/simulation/member.h"
#include "tests/simulation/options.h"
#include "tests/simulation/world.h"

namespace etcd::simulation {

// What the clients of a run have in common.
struct Clients {
  Clients(World& w, Ledger& l, History& h, SimMember& m, const Options& o)
      : world(w), ledger(l), history(h), member(m), options(o) {}

  World& world;
  Ledger& ledger;
  History& history;
  SimMember& member;
  const Options& options;

  bool quiet = false;                // phase 2: nothing new is begun
  std::uint64_t next_id = 1;         // of writes: their values name them
  std::vector<std::int64_t> leases;  // granted, as far as clients know
  std::uint64_t operations = 0;      // answered

  base::Random& random() { return world.random.workload; }
  std::string AnyKey();
  // Of an acknowledged or unknown outcome? By the text of the error, as a client must decide.
  static bool IsUnknown(const absl::Status& status);
};

inline std::string Clients::AnyKey() {
  const auto keys = static_cast<std::uint64_t>(options.keys);
  return "k" + std::to_string(100 + random().Below(keys));
}

}  // namespace etcd::simulation
