#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "server/base/call.h"

namespace google::protobuf {
class Message;
}

namespace etcd::api::gateway {

// Where a gateway path leads. Borrows from the method table and from protobuf's generated pool.
struct Route {
  const base::MethodEntry* method = nullptr;
  const google::protobuf::Message* request = nullptr;   // prototype
  const google::protobuf::Message* response = nullptr;  // prototype
};

// By path ("/v3/kv/range"). Paths whose method the table does not have are left out.
using Routes = std::unordered_map<std::string, Route>;
Routes BuildRoutes(const base::MethodTable& methods);

}  // namespace etcd::api::gateway
