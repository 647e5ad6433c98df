#include "server/api/http/http_handler.h"

#include <utility>

#include "server/api/http/access.h"
#include "server/api/http/gzip.h"
#include "server/api/http/health.h"
#include "server/api/http/reply.h"
#include "server/base/gzip.h"

namespace etcd::api::http {
namespace {

void ServeMetrics(const Deps& deps, const base::HttpRequest& request,
                  base::HttpResponder& responder) {
  if (!deps.metrics) return ReplyNotFound(responder);
  Headers headers = {
      {"Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"}};
  std::string body = deps.metrics();
  if (AcceptsGzip(request.Header("accept-encoding"))) {
    headers.emplace_back("Content-Encoding", "gzip");
    body = base::Gzip(body);
  }
  responder.Reply(200, std::move(headers), std::move(body));
}

class MetricsHandler final : public base::HttpHandler {
 public:
  explicit MetricsHandler(Deps deps) : deps_(std::move(deps)), health_(deps_) {}

  void Start(base::HttpRequest request, base::HttpResponderPtr responder) override {
    if (request.path == "/metrics") return ServeMetrics(deps_, request, *responder);
    if (!health_.Serve(request, responder)) ReplyNotFound(*responder);
  }

 private:
  const Deps deps_;
  const HealthEndpoints health_;
};

class ClientHandler final : public base::HttpHandler {
 public:
  ClientHandler(Deps deps, Options options)
      : deps_(std::move(deps)), options_(std::move(options)), access_(options_), health_(deps_) {}

  void Start(base::HttpRequest request, base::HttpResponderPtr raw) override {
    base::HttpResponderPtr responder = access_.Admit(request, std::move(raw));
    if (responder == nullptr) return;
    if (IsGatewayPath(request.path)) {
      return deps_.gateway->Start(std::move(request), std::move(responder));
    }
    if (request.path == "/version") return ServeVersion(request, *responder);
    if (request.path == "/metrics") return ServeMetrics(deps_, request, *responder);
    if (request.path == "/debug/vars" && deps_.debug_vars) {
      return ServeDebugVars(request, *responder);
    }
    if (!health_.Serve(request, responder)) ReplyNotFound(*responder);
  }

  bool Streams(const base::HttpRequest& request) const override {
    return IsGatewayPath(request.path) && deps_.gateway->Streams(request);
  }
  std::shared_ptr<base::HttpBodyReader> StartStreaming(base::HttpRequest request,
                                                       base::HttpResponderPtr raw) override {
    base::HttpResponderPtr responder = access_.Admit(request, std::move(raw));
    if (responder == nullptr) return nullptr;
    return deps_.gateway->StartStreaming(std::move(request), std::move(responder));
  }

 private:
  bool IsGatewayPath(std::string_view path) const {
    return deps_.gateway != nullptr &&
           (path == "/v3" || path.starts_with("/v3/") || path.starts_with("/v3beta/"));
  }

  void ServeVersion(const base::HttpRequest& request, base::HttpResponder& responder) const {
    if (!RequireGet(request, responder)) return;
    const std::string cluster = deps_.node.ClusterVersion();
    const std::string storage = deps_.node.StorageVersion();
    responder.Reply(200, {{"Content-Type", "application/json"}},
                    "{\"etcdserver\":\"" + options_.server_version + "\",\"etcdcluster\":\"" +
                        (cluster.empty() ? "not_decided" : cluster) + "\",\"storage\":\"" +
                        (storage.empty() ? "unknown" : storage) + "\"}");
  }

  void ServeDebugVars(const base::HttpRequest& request, base::HttpResponder& responder) const {
    if (!RequireGet(request, responder)) return;
    responder.Reply(200, {{"Content-Type", "application/json; charset=utf-8"}}, deps_.debug_vars());
  }

  const Deps deps_;
  const Options options_;
  const AccessControl access_;
  const HealthEndpoints health_;
};

}  // namespace

std::unique_ptr<base::HttpHandler> MakeHttpHandler(Deps deps, Options options) {
  return std::make_unique<ClientHandler>(std::move(deps), std::move(options));
}

std::unique_ptr<base::HttpHandler> MakeMetricsHandler(Deps deps) {
  return std::make_unique<MetricsHandler>(std::move(deps));
}

}  // namespace etcd::api::http
