#pragma once

#include <string>

#include "tests/simulation/cluster.h"
#include "tests/simulation/ledger.h"

namespace etcd::simulation {

// True when the backends of all members have come to the same entry, the newest that any has, and
// finished their compactions.
bool HaveConverged(Cluster& cluster, const Ledger& ledger);

// Compares what the backends of all members hold, byte by byte: keys, index records, leases,
// members, auth, alarms. "" when they are the same, else the first difference.
std::string CompareReplicas(Cluster& cluster);

}  // namespace etcd::simulation
