#pragma once

#include <memory>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// KV.RangeStream (3.7): a range in chunks of growing size, all read at one revision. Header, more
// and count come with the last chunk.
std::unique_ptr<base::StreamHandler> OpenRangeStream(const Core& core, base::CallContextPtr context,
                                                     base::StreamSinkPtr sink);

}  // namespace etcd::api::v3
