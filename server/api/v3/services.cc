#include "server/api/v3/services.h"

#include <memory>
#include <utility>

#include "server/api/v3/core.h"
#include "server/api/v3/intercept.h"
#include "server/api/v3/kv.h"
#include "server/api/v3/leader_guard.h"
#include "server/api/v3/unimplemented.h"

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
        kv(core) {}

  Core core;
  std::shared_ptr<LeaderGuard> guard;
  Interceptor interceptor;
  KvService kv;
};
using ServicesPtr = std::shared_ptr<const Services>;

// A method of a service that `services` keeps alive.
template <typename Service>
UnaryFunction Bind(ServicesPtr services, const Service& service,
                   void (Service::*method)(base::CallContextPtr, std::string_view, base::UnaryDone)
                       const) {
  return [services = std::move(services), &service, method](
             base::CallContextPtr context, std::string_view request, base::UnaryDone done) {
    (service.*method)(std::move(context), request, std::move(done));
  };
}

void AddKv(base::MethodTable& table, const ServicesPtr& s) {
  const auto add = [&](std::string path, auto method, LearnerRule rule = LearnerRule::kRefuse) {
    AddUnary(table, s->interceptor, std::move(path), Bind(s, s->kv, method), rule);
  };
  add("/etcdserverpb.KV/Range", &KvService::Range, LearnerRule::kServeSerializableRange);
  add("/etcdserverpb.KV/Put", &KvService::Put);
  add("/etcdserverpb.KV/DeleteRange", &KvService::DeleteRange);
  add("/etcdserverpb.KV/Txn", &KvService::Txn);
  add("/etcdserverpb.KV/Compact", &KvService::Compact);
}

}  // namespace

base::MethodTable BuildMethodTable(const Deps& deps, Options options) {
  const auto services = std::make_shared<const Services>(deps, std::move(options));
  base::MethodTable table;
  AddKv(table, services);
  AddUnimplemented(table);
  return table;
}

}  // namespace etcd::api::v3
