#include "server/api/gateway/routes.h"

#include <array>
#include <etcdserverpb/rpc.pb.h>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "server/base/check.h"

namespace etcd::api::gateway {
namespace {

struct Row {
  std::string_view path;    // below /v3/
  std::string_view method;  // service and method below "etcdserverpb."
};

constexpr std::array kRows = {
    Row{"kv/range", "KV/Range"},
    Row{"kv/put", "KV/Put"},
    Row{"kv/deleterange", "KV/DeleteRange"},
    Row{"kv/txn", "KV/Txn"},
    Row{"kv/compaction", "KV/Compact"},
    Row{"watch", "Watch/Watch"},
    Row{"lease/grant", "Lease/LeaseGrant"},
    Row{"lease/revoke", "Lease/LeaseRevoke"},
    Row{"kv/lease/revoke", "Lease/LeaseRevoke"},
    Row{"lease/keepalive", "Lease/LeaseKeepAlive"},
    Row{"lease/timetolive", "Lease/LeaseTimeToLive"},
    Row{"kv/lease/timetolive", "Lease/LeaseTimeToLive"},
    Row{"lease/leases", "Lease/LeaseLeases"},
    Row{"kv/lease/leases", "Lease/LeaseLeases"},
    Row{"cluster/member/add", "Cluster/MemberAdd"},
    Row{"cluster/member/remove", "Cluster/MemberRemove"},
    Row{"cluster/member/update", "Cluster/MemberUpdate"},
    Row{"cluster/member/list", "Cluster/MemberList"},
    Row{"cluster/member/promote", "Cluster/MemberPromote"},
    Row{"maintenance/alarm", "Maintenance/Alarm"},
    Row{"maintenance/status", "Maintenance/Status"},
    Row{"maintenance/defragment", "Maintenance/Defragment"},
    Row{"maintenance/hash", "Maintenance/Hash"},
    Row{"maintenance/hashkv", "Maintenance/HashKV"},
    Row{"maintenance/snapshot", "Maintenance/Snapshot"},
    Row{"maintenance/transfer-leadership", "Maintenance/MoveLeader"},
    Row{"maintenance/downgrade", "Maintenance/Downgrade"},
    Row{"auth/enable", "Auth/AuthEnable"},
    Row{"auth/disable", "Auth/AuthDisable"},
    Row{"auth/status", "Auth/AuthStatus"},
    Row{"auth/authenticate", "Auth/Authenticate"},
    Row{"auth/user/add", "Auth/UserAdd"},
    Row{"auth/user/get", "Auth/UserGet"},
    Row{"auth/user/list", "Auth/UserList"},
    Row{"auth/user/delete", "Auth/UserDelete"},
    Row{"auth/user/changepw", "Auth/UserChangePassword"},
    Row{"auth/user/grant", "Auth/UserGrantRole"},
    Row{"auth/user/revoke", "Auth/UserRevokeRole"},
    Row{"auth/role/add", "Auth/RoleAdd"},
    Row{"auth/role/get", "Auth/RoleGet"},
    Row{"auth/role/list", "Auth/RoleList"},
    Row{"auth/role/delete", "Auth/RoleDelete"},
    Row{"auth/role/grant", "Auth/RoleGrantPermission"},
    Row{"auth/role/revoke", "Auth/RoleRevokePermission"},
};

const google::protobuf::Message* PrototypeOf(const google::protobuf::Descriptor* type) {
  return google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
}

}  // namespace

Routes BuildRoutes(const base::MethodTable& methods) {
  // Of a message: so that the linker keeps the descriptors.
  const google::protobuf::FileDescriptor& file = *etcdserverpb::RangeRequest::descriptor()->file();
  Routes routes;
  for (const Row& row : kRows) {
    const std::size_t slash = row.method.find('/');
    const auto* service = file.FindServiceByName(std::string(row.method.substr(0, slash)));
    const auto* method = service == nullptr
                             ? nullptr
                             : service->FindMethodByName(std::string(row.method.substr(slash + 1)));
    CHECK(method != nullptr) << "no method " << row.method;
    const base::MethodEntry* entry = methods.Find("/etcdserverpb." + std::string(row.method));
    if (entry == nullptr) continue;
    routes.emplace("/v3/" + std::string(row.path), Route{entry, PrototypeOf(method->input_type()),
                                                         PrototypeOf(method->output_type())});
  }
  return routes;
}

}  // namespace etcd::api::gateway
