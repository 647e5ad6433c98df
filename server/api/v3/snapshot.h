#pragma once

#include <memory>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// Maintenance.Snapshot: the member's database as a file of etcd in messages of 32 KiB, then the
// SHA-256 of all of it in one more. The state is that of one moment after the call began; memory is
// bounded by what the stream may hold unsent.
std::unique_ptr<base::StreamHandler> OpenSnapshot(const Core& core, base::CallContextPtr context,
                                                  base::StreamSinkPtr sink);

}  // namespace etcd::api::v3
