#pragma once

#include <optional>

#include <absl/status/statusor.h>

#include "operator/kube/controller.h"
#include "operator/loop/facts.h"

namespace etcd::loop {

// One step of taking a deleted cluster apart (R0): followers' pods, then the leader's, volumes when
// the policy says so, records without any change of membership, our finalizer. True when there is
// nothing left to do; never creates anything, so that a namespace that goes away is not held up.
absl::StatusOr<bool> TakeApart(const kube::ControllerContext& context, const Facts& facts);

}  // namespace etcd::loop
