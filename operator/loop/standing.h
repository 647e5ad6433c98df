#pragma once

#include <absl/status/status.h>

#include "operator/kube/controller.h"
#include "operator/loop/facts.h"
#include "operator/loop/memory.h"

namespace etcd::loop {

// Services, account, policy and budget of a cluster as they shall be (R3): applied when something
// about them has changed, here or there. `voters` as etcd says, or said last.
absl::Status EnsureStanding(const kube::ControllerContext& context,
                            const desired::Settings& settings, const Facts& facts, int voters,
                            Memory& memory);

}  // namespace etcd::loop
