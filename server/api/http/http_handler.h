#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/executor.h"
#include "server/base/http_call.h"
#include "server/node/node.h"
#include "server/storage/mvcc/store.h"

// Plain HTTP on the client and metrics URLs: /version, /health, /livez, /readyz, /metrics,
// /debug/vars, and everything below /v3 handed to the gateway (server-surface.md 5).
namespace etcd::api::http {

struct Options {
  std::string server_version = "3.6.16";  // /version: etcdserver
  // --cors: origins as "scheme://host[:port]"; empty or holding "*" allows every origin.
  std::vector<std::string> cors_origins;
  // --host-whitelist: host names, without port; empty or holding "*" allows every host. Checked on
  // plaintext listeners only.
  std::vector<std::string> host_whitelist;
};

// Results of the health endpoints. Thread-safe.
class HealthObserver {
 public:
  virtual ~HealthObserver() = default;
  virtual void OnHealth(bool /*ok*/) {}  // etcd_server_health_success / _failures
  // etcd_server_healthcheck{type,name}, etcd_server_healthchecks_total{type,name,status};
  // type: "livez" or "readyz".
  virtual void OnCheck(std::string_view /*type*/, std::string_view /*name*/, bool /*ok*/) {}
};

// All of it outlives the handler and the answers under way.
struct Deps {
  node::Node& node;
  mvcc::Store& store;
  base::Executor& background;               // goes on with reads that waited for a read index
  base::HttpHandler* gateway = nullptr;     // null: --enable-grpc-gateway=false
  std::function<std::string()> metrics;     // Prometheus text; empty: no /metrics here
  std::function<std::string()> debug_vars;  // JSON object; empty: no /debug/vars
  HealthObserver* observer = nullptr;       // may be null
};

// For client URLs.
std::unique_ptr<base::HttpHandler> MakeHttpHandler(Deps deps, Options options);

// For --listen-metrics-urls: /metrics and the health endpoints only, without CORS.
std::unique_ptr<base::HttpHandler> MakeMetricsHandler(Deps deps);

}  // namespace etcd::api::http
