#include "server/api/http/access.h"

#include <functional>
#include <utility>

#include "server/api/http/reply.h"
#include "server/base/log.h"

namespace etcd::api::http {
namespace {

std::set<std::string, std::less<>> SetOf(const std::vector<std::string>& values) {
  std::set<std::string, std::less<>> out(values.begin(), values.end());
  if (out.contains("*")) out.clear();
  return out;
}

// "host:port" and "[v6]:port" without the port and brackets.
std::string_view HostName(std::string_view host) {
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

void AddCors(Headers& headers, const std::string& origin) {
  headers.emplace_back("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE");
  headers.emplace_back("Access-Control-Allow-Origin", origin);
  headers.emplace_back("Access-Control-Allow-Headers", "accept, content-type, authorization");
}

class CorsResponder final : public base::HttpResponder {
 public:
  CorsResponder(base::HttpResponderPtr inner, std::string origin)
      : inner_(std::move(inner)), origin_(std::move(origin)) {}

  void Begin(int status, Headers headers) override {
    AddCors(headers, origin_);
    inner_->Begin(status, std::move(headers));
  }
  void Reply(int status, Headers headers, std::string body) override {
    AddCors(headers, origin_);
    inner_->Reply(status, std::move(headers), std::move(body));
  }
  void Write(base::Rope bytes) override { inner_->Write(std::move(bytes)); }
  void End() override { inner_->End(); }
  void OnGone(std::function<void()> gone) override { inner_->OnGone(std::move(gone)); }
  std::size_t PendingBytes() const override { return inner_->PendingBytes(); }
  void NotifyWhenBelow(std::size_t bytes, absl::AnyInvocable<void()> ready) override {
    inner_->NotifyWhenBelow(bytes, std::move(ready));
  }

 private:
  const base::HttpResponderPtr inner_;
  const std::string origin_;
};

// The first line is etcd's; clients look for it.
std::string UnknownHostText(std::string_view host) {
  return "\netcd received your request, but the Host header was unrecognized.\n\n"
         "Requests over plain HTTP are served for known host names only, so that a web page "
         "cannot\n"
         "reach this server through DNS. Either use HTTPS, or allow the name:\n"
         "  --host-whitelist " +
         std::string(host) + "\n";
}

}  // namespace

AccessControl::AccessControl(const Options& options)
    : origins_(SetOf(options.cors_origins)), hosts_(SetOf(options.host_whitelist)) {}

bool AccessControl::IsHostAllowed(std::string_view host) const {
  return hosts_.empty() || hosts_.contains(HostName(host));
}

std::string AccessControl::AllowedOrigin(const base::HttpRequest& request) const {
  if (origins_.empty()) return "*";
  const std::string_view origin = request.Header("origin");
  return origins_.contains(origin) ? std::string(origin) : "";
}

base::HttpResponderPtr AccessControl::Admit(const base::HttpRequest& request,
                                            base::HttpResponderPtr responder) const {
  const std::string_view host = request.Header("host");
  if (!request.is_tls && !IsHostAllowed(host)) {
    LOG_WARN("rejecting HTTP request to prevent DNS rebinding attacks", {"host", host});
    ReplyError(*responder, 421, UnknownHostText(HostName(host)));
    return nullptr;
  }
  std::string origin = AllowedOrigin(request);
  if (!origin.empty()) {
    responder = std::make_shared<CorsResponder>(std::move(responder), std::move(origin));
  }
  if (request.method == "OPTIONS") {
    responder->Reply(200, {}, "");
    return nullptr;
  }
  return responder;
}

}  // namespace etcd::api::http
