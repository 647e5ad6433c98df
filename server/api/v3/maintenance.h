#pragma once

#include <string_view>

#include "server/api/v3/core.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// etcdserverpb.Maintenance but Snapshot (unimplemented.h).
class MaintenanceService {
 public:
  explicit MaintenanceService(const Core& core) : core_(core) {}

  void Status(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void Alarm(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  // Answers without doing anything: the engine compacts by itself and never stops the world.
  void Defragment(base::CallContextPtr context, std::string_view request,
                  base::UnaryDone done) const;
  void Hash(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void HashKv(base::CallContextPtr context, std::string_view request, base::UnaryDone done) const;
  void MoveLeader(base::CallContextPtr context, std::string_view request,
                  base::UnaryDone done) const;
  void Downgrade(base::CallContextPtr context, std::string_view request,
                 base::UnaryDone done) const;

 private:
  const Core& core_;
};

}  // namespace etcd::api::v3
