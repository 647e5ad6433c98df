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

class UnimplementedUnary final : public base::UnaryHandler {
 public:
  explicit UnimplementedUnary(const Row& row) : row_(row) {}
  void Start(base::CallContextPtr, std::string_view, base::UnaryDone done) override {
    done(StatusOf(row_));
  }

 private:
  const Row& row_;
};

class Ignore final : public base::StreamHandler {
 public:
  void OnMessage(std::string_view) override {}
  void OnHalfClose() override {}
  void OnClose() override {}
};

class UnimplementedStream final : public base::StreamMethod {
 public:
  explicit UnimplementedStream(const Row& row) : row_(row) {}
  std::unique_ptr<base::StreamHandler> Open(base::CallContextPtr,
                                            base::StreamSinkPtr sink) override {
    sink->Finish(StatusOf(row_));
    return std::make_unique<Ignore>();
  }

 private:
  const Row& row_;
};

}  // namespace

void AddUnimplemented(base::MethodTable& table) {
  for (const Row& row : kRows) {
    base::MethodEntry entry;
    entry.path.append("/").append(row.service).append("/").append(row.method);
    entry.kind = row.kind;
    if (row.kind == Kind::kUnary) {
      entry.unary = std::make_unique<UnimplementedUnary>(row);
    } else {
      entry.stream = std::make_unique<UnimplementedStream>(row);
    }
    table.Add(std::move(entry));
  }
}

}  // namespace etcd::api::v3
