#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "operator/kube/http.h"

namespace etcd::kube {

// Where the API server is.
struct ServerAddress {
  std::string url{};  // "https://10.0.0.1:443", without a path at its end or with a prefix
  std::string tls_server_name{};  // that its certificate is for; empty: the URL's host
  std::string proxy_url{};        // empty: what the environment says (HTTPS_PROXY, NO_PROXY)
  bool insecure_skip_tls_verify = false;
};

// HTTP/1.1 by libcurl. A dead peer is noticed by TCP: keepalive after 30 s of silence, five seconds
// apart, three times; the same 45 s for data that is not acknowledged. A peer whose kernel lives
// and whose process does not is what the request's timeout is for. Thread-safe: each exchange has a
// connection of its own, kept for the next one.
class CurlTransport final : public HttpTransport {
 public:
  // A connection that was not used for `idle_for` is closed when another one comes back: with its
  // TLS session it costs about 100 KB, and a burst leaves many.
  CurlTransport(ServerAddress address, std::string user_agent,
                std::chrono::nanoseconds idle_for = std::chrono::seconds(20));
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  absl::StatusOr<HttpAnswer> Send(const HttpRequest& request, std::stop_token stop) override;
  absl::StatusOr<HttpAnswer> Stream(const HttpRequest& request, const ByteSink& sink,
                                    std::stop_token stop) override;

  std::size_t idle_connections() const;

 private:
  class Exchange;
  struct Idle {
    std::unique_ptr<Exchange> exchange;
    std::chrono::steady_clock::time_point since;
  };

  absl::StatusOr<HttpAnswer> Run(const HttpRequest& request, const ByteSink* sink,
                                 std::stop_token stop);
  std::unique_ptr<Exchange> Take();
  void Give(std::unique_ptr<Exchange> exchange);

  const ServerAddress address_;
  const std::string user_agent_;
  const std::chrono::nanoseconds idle_for_;
  mutable std::mutex mu_;
  std::vector<Idle> idle_;  // guarded by mu_; by time, at most kIdleMax
};

}  // namespace etcd::kube
