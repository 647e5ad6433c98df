#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "operator/plan/plan.h"
#include "sim_etcd.h"

namespace etcd::plan {

// The kind of a step, with what tells it from others of that kind.
inline std::string Title(const Step& step) {
  std::string name(plan::NameOf(step));
  if (const auto* wait = std::get_if<Wait>(&step)) name += " " + wait->reason;
  return name;
}

// Steps until there is nothing to do.
inline std::vector<std::string> Settle(SimEtcd& sim) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) {
    const Step step = Decide(sim.wanted, sim.Observe());
    names.push_back(Title(step));
    if (std::holds_alternative<Done>(step) || std::holds_alternative<Wait>(step)) break;
    sim.Run(step);
  }
  return names;
}

inline SimEtcd ClusterOf(int replicas) {
  SimEtcd sim;
  sim.wanted.replicas = replicas;
  Settle(sim);
  EXPECT_EQ(sim.voters(), static_cast<std::size_t>(replicas));
  return sim;
}

inline Step Next(const SimEtcd& sim) { return Decide(sim.wanted, sim.Observe()); }

}  // namespace etcd::plan
