#include "server/api/v3/services.h"

#include <memory>
#include <utility>

#include "server/api/v3/cluster.h"
#include "server/api/v3/core.h"
#include "server/api/v3/health.h"
#include "server/api/v3/intercept.h"
#include "server/api/v3/kv.h"
#include "server/api/v3/leader_guard.h"
#include "server/api/v3/lease.h"
#include "server/api/v3/maintenance.h"
#include "server/api/v3/range_stream.h"
#include "server/api/v3/unimplemented.h"
#include "server/api/v3/watch.h"

namespace etcd::api::v3 {
namespace {

using Kind = base::MethodEntry::Kind;

// Held by every handler of the table.
struct Services {
  Services(const Deps& deps, Options options)
      : core(deps, std::move(options)),
        guard(std::make_shared<LeaderGuard>(deps.node, deps.background,
                                            core.options().election_timeout)),
        interceptor(core, guard),
        kv(core),
        watch(core),
        lease(core),
        cluster(core),
        maintenance(core) {}

  Core core;
  std::shared_ptr<LeaderGuard> guard;
  Interceptor interceptor;
  KvService kv;
  WatchService watch;
  LeaseService lease;
  ClusterService cluster;
  MaintenanceService maintenance;
  HealthService health;
};
using ServicesPtr = std::shared_ptr<const Services>;

// Adds the methods of one service, which `services` keeps alive.
template <typename Service>
class Registrar {
 public:
  Registrar(base::MethodTable& table, ServicesPtr services, const std::string& name,
            const Service& service)
      : table_(table),
        services_(std::move(services)),
        prefix_("/" + name + "/"),
        service_(service) {}

  using UnaryMethod = void (Service::*)(base::CallContextPtr, std::string_view,
                                        base::UnaryDone) const;
  void Unary(const std::string& name, UnaryMethod method, LearnerRule rule = LearnerRule::kRefuse) {
    AddUnary(
        table_, services_->interceptor, prefix_ + name,
        [services = services_, &service = service_, method](
            base::CallContextPtr context, std::string_view request, base::UnaryDone done) {
          (service.*method)(std::move(context), request, std::move(done));
        },
        rule);
  }

  using OpenMethod = std::unique_ptr<base::StreamHandler> (Service::*)(base::CallContextPtr,
                                                                       base::StreamSinkPtr) const;
  void Stream(const std::string& name, Kind kind, OpenMethod method,
              LearnerRule rule = LearnerRule::kRefuse) {
    AddStream(
        table_, services_->interceptor, prefix_ + name, kind,
        [services = services_, &service = service_, method](base::CallContextPtr context,
                                                            base::StreamSinkPtr sink) {
          return (service.*method)(std::move(context), std::move(sink));
        },
        rule);
  }

 private:
  base::MethodTable& table_;
  const ServicesPtr services_;
  const std::string prefix_;
  const Service& service_;
};

void AddKv(base::MethodTable& table, const ServicesPtr& s) {
  Registrar<KvService> kv(table, s, "etcdserverpb.KV", s->kv);
  kv.Unary("Range", &KvService::Range, LearnerRule::kServeSerializableRange);
  kv.Unary("Put", &KvService::Put);
  kv.Unary("DeleteRange", &KvService::DeleteRange);
  kv.Unary("Txn", &KvService::Txn);
  kv.Unary("Compact", &KvService::Compact);
  kv.Stream("RangeStream", Kind::kServerStream, &KvService::RangeStream);
}

void AddWatchAndLease(base::MethodTable& table, const ServicesPtr& s) {
  Registrar<WatchService> watch(table, s, "etcdserverpb.Watch", s->watch);
  watch.Stream("Watch", Kind::kBidi, &WatchService::Watch);
  Registrar<LeaseService> lease(table, s, "etcdserverpb.Lease", s->lease);
  lease.Unary("LeaseGrant", &LeaseService::Grant);
  lease.Unary("LeaseRevoke", &LeaseService::Revoke);
  lease.Unary("LeaseTimeToLive", &LeaseService::TimeToLive);
  lease.Unary("LeaseLeases", &LeaseService::Leases);
  lease.Stream("LeaseKeepAlive", Kind::kBidi, &LeaseService::KeepAlive);
}

void AddOperation(base::MethodTable& table, const ServicesPtr& s) {
  Registrar<ClusterService> cluster(table, s, "etcdserverpb.Cluster", s->cluster);
  cluster.Unary("MemberList", &ClusterService::MemberList);
  cluster.Unary("MemberAdd", &ClusterService::MemberAdd);
  cluster.Unary("MemberRemove", &ClusterService::MemberRemove);
  cluster.Unary("MemberUpdate", &ClusterService::MemberUpdate);
  cluster.Unary("MemberPromote", &ClusterService::MemberPromote);
  Registrar<MaintenanceService> maintenance(table, s, "etcdserverpb.Maintenance", s->maintenance);
  maintenance.Unary("Status", &MaintenanceService::Status, LearnerRule::kServe);
  maintenance.Unary("Alarm", &MaintenanceService::Alarm);
  maintenance.Unary("Defragment", &MaintenanceService::Defragment);
  maintenance.Unary("Hash", &MaintenanceService::Hash);
  maintenance.Unary("HashKV", &MaintenanceService::HashKv);
  maintenance.Stream("Snapshot", Kind::kServerStream, &MaintenanceService::Snapshot,
                     LearnerRule::kServe);
  maintenance.Unary("MoveLeader", &MaintenanceService::MoveLeader);
  maintenance.Unary("Downgrade", &MaintenanceService::Downgrade);
  Registrar<HealthService> health(table, s, "grpc.health.v1.Health", s->health);
  health.Unary("Check", &HealthService::Check);
  health.Unary("List", &HealthService::List);
  health.Stream("Watch", Kind::kServerStream, &HealthService::Watch);
}

}  // namespace

base::MethodTable BuildMethodTable(const Deps& deps, Options options) {
  const auto services = std::make_shared<const Services>(deps, std::move(options));
  base::MethodTable table;
  AddKv(table, services);
  AddWatchAndLease(table, services);
  AddOperation(table, services);
  AddUnimplemented(table, services->interceptor);
  return table;
}

}  // namespace etcd::api::v3
