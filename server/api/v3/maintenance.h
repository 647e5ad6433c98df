#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "server/api/v3/core.h"
#include "server/api/v3/snapshot.h"
#include "server/base/call.h"

namespace etcd::api::v3 {

// etcdserverpb.Maintenance.
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
  std::unique_ptr<base::StreamHandler> Snapshot(base::CallContextPtr context,
                                                base::StreamSinkPtr sink) const {
    return OpenSnapshot(core_, std::move(context), std::move(sink));
  }
  void MoveLeader(base::CallContextPtr context, std::string_view request,
                  base::UnaryDone done) const;
  void Downgrade(base::CallContextPtr context, std::string_view request,
                 base::UnaryDone done) const;

 private:
  const Core& core_;
};

}  // namespace etcd::api::v3
