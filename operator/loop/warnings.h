#pragma once

#include "operator/kube/controller.h"
#include "operator/loop/memory.h"
#include "operator/loop/status.h"

namespace etcd::loop {

// Events about what the status says now and did not say before.
void Warn(const kube::ControllerContext& context, const Facts& facts,
          const model::EtcdClusterStatus& status, Memory& memory);

}  // namespace etcd::loop
