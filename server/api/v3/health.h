#pragma once

#include <memory>
#include <string_view>

#include "server/base/call.h"

namespace etcd::api::v3 {

// grpc.health.v1.Health: the server as a whole ("") serves, from its start to its end, without a
// leader and under alarms too; no other service is known.
class HealthService {
 public:
  void Check(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void List(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  std::unique_ptr<base::StreamHandler> Watch(base::CallContextPtr context,
                                             base::StreamSinkPtr sink) const;
};

}  // namespace etcd::api::v3
