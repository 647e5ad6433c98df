#pragma once

#include <string_view>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// etcdserverpb.Cluster: MemberList. The changing methods come with membership (unimplemented.h).
class ClusterService {
 public:
  explicit ClusterService(const Core& core) : core_(core) {}

  void MemberList(base::CallContextPtr context, std::string_view request,
                  base::UnaryDone done) const;

 private:
  const Core& core_;
};

}  // namespace etcd::api::v3
