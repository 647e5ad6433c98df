#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "server/base/call.h"
#include "server/base/http_call.h"
#include "server/transport/connection_count.h"
#include "server/transport/memory_budget.h"
#include "server/transport/observer.h"
#include "server/transport/options.h"

namespace etcd::transport {

// A method and who counts its calls.
struct Method {
  const base::MethodEntry* entry = nullptr;
  MethodObserver* observer = nullptr;  // may be null
};

// What all connections of a server share. Immutable from the start of its loops on, but for the
// budget and the count.
struct ServerContext {
  ServerOptions options;
  absl::flat_hash_map<std::string_view, Method> methods;  // by full path
  absl::flat_hash_set<std::string> services;              // "etcdserverpb.KV"
  base::HttpHandler* http = nullptr;
  MemoryBudget response_budget;
  ConnectionCount connections;

  explicit ServerContext(ServerOptions server_options)
      : options(std::move(server_options)), response_budget(options.response_bytes_max) {}
};

}  // namespace etcd::transport
