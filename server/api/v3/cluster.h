#pragma once

#include <string_view>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// etcdserverpb.Cluster (v3-api.md 6). Headers carry no revision.
class ClusterService {
 public:
  explicit ClusterService(const Core& core) : core_(core) {}

  void MemberList(base::CallContextPtr context, std::string_view request,
                  base::UnaryDone done) const;
  void MemberAdd(base::CallContextPtr context, std::string_view request,
                 base::UnaryDone done) const;
  void MemberRemove(base::CallContextPtr context, std::string_view request,
                    base::UnaryDone done) const;
  void MemberUpdate(base::CallContextPtr context, std::string_view request,
                    base::UnaryDone done) const;
  void MemberPromote(base::CallContextPtr context, std::string_view request,
                     base::UnaryDone done) const;

 private:
  node::MembersDone AnswerWithList(base::UnaryDone done) const;

  const Core& core_;
};

}  // namespace etcd::api::v3
