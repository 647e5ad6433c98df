#pragma once

#include <memory>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// etcdserverpb.Watch: one hub stream per call. The order of checks and every reply are the hub's;
// this is only their encoding.
class WatchService {
 public:
  explicit WatchService(const Core& core) : core_(core) {}

  std::unique_ptr<base::StreamHandler> Watch(base::CallContextPtr context,
                                             base::StreamSinkPtr sink) const;

 private:
  const Core& core_;
};

}  // namespace etcd::api::v3
