#include "server/api/v3/unimplemented.h"

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

using Kind = base::MethodEntry::Kind;

struct Row {
  std::string_view service;
  std::string_view method;
  Kind kind = Kind::kUnary;
};

// Rows go away as the methods arrive.
constexpr std::array kRows = {
    Row{"etcdserverpb.Auth", "AuthEnable"},
    Row{"etcdserverpb.Auth", "AuthDisable"},
    Row{"etcdserverpb.Auth", "AuthStatus"},
    Row{"etcdserverpb.Auth", "Authenticate"},
    Row{"etcdserverpb.Auth", "UserAdd"},
    Row{"etcdserverpb.Auth", "UserGet"},
    Row{"etcdserverpb.Auth", "UserList"},
    Row{"etcdserverpb.Auth", "UserDelete"},
    Row{"etcdserverpb.Auth", "UserChangePassword"},
    Row{"etcdserverpb.Auth", "UserGrantRole"},
    Row{"etcdserverpb.Auth", "UserRevokeRole"},
    Row{"etcdserverpb.Auth", "RoleAdd"},
    Row{"etcdserverpb.Auth", "RoleGet"},
    Row{"etcdserverpb.Auth", "RoleList"},
    Row{"etcdserverpb.Auth", "RoleDelete"},
    Row{"etcdserverpb.Auth", "RoleGrantPermission"},
    Row{"etcdserverpb.Auth", "RoleRevokePermission"},
    Row{"v3lockpb.Lock", "Lock"},
    Row{"v3lockpb.Lock", "Unlock"},
    Row{"v3electionpb.Election", "Campaign"},
    Row{"v3electionpb.Election", "Proclaim"},
    Row{"v3electionpb.Election", "Leader"},
    Row{"v3electionpb.Election", "Observe", Kind::kServerStream},
    Row{"v3electionpb.Election", "Resign"},
};

absl::Status StatusOf(const Row& row) {
  std::string text = "unknown method ";
  text.append(row.method).append(" for service ").append(row.service);
  return base::MakeStatus(absl::StatusCode::kUnimplemented, text);
}

class Ignore final : public base::StreamHandler {
 public:
  void OnMessage(std::string_view) override {}
  void OnHalfClose() override {}
  void OnClose() override {}
};

}  // namespace

void AddUnimplemented(base::MethodTable& table, const Interceptor& interceptor) {
  for (const Row& row : kRows) {
    std::string path;
    path.append("/").append(row.service).append("/").append(row.method);
    if (row.kind == Kind::kUnary) {
      AddUnary(table, interceptor, std::move(path),
               [&row](const base::CallContextPtr&, std::string_view, base::UnaryDone done) {
                 done(StatusOf(row));
               });
      continue;
    }
    AddStream(table, interceptor, std::move(path), row.kind,
              [&row](const base::CallContextPtr&, const base::StreamSinkPtr& sink) {
                sink->Finish(StatusOf(row));
                return std::make_unique<Ignore>();
              });
  }
}

}  // namespace etcd::api::v3
