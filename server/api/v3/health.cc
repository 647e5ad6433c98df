#include "server/api/v3/health.h"

#include <string>
#include <utility>

#include <grpc/health/v1/health.pb.h>

#include "server/api/v3/core.h"
#include "server/base/status.h"

namespace etcd::api::v3 {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListResponse;

std::string Encode(HealthCheckResponse::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  return response.SerializeAsString();
}

class WatchCall final : public base::StreamHandler {
 public:
  explicit WatchCall(base::StreamSinkPtr sink) : sink_(std::move(sink)) {}

  // The status never changes, so the first answer is the only one; the stream stays open.
  void OnMessage(std::string_view message) override {
    HealthCheckRequest request;
    if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
      return sink_->Finish(MalformedRequest());
    }
    sink_->Send(
        base::Rope(Encode(request.service().empty() ? HealthCheckResponse::SERVING
                                                    : HealthCheckResponse::SERVICE_UNKNOWN)));
  }
  void OnHalfClose() override {}
  void OnClose() override {}

 private:
  const base::StreamSinkPtr sink_;
};

}  // namespace

void HealthService::Check(base::CallContextPtr, std::string_view request,
                          base::UnaryDone done) const {
  HealthCheckRequest check;
  if (!check.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    return done(MalformedRequest());
  }
  if (!check.service().empty()) {
    return done(base::MakeStatus(absl::StatusCode::kNotFound, "unknown service"));
  }
  done(base::Body(base::Rope(Encode(HealthCheckResponse::SERVING))));
}

void HealthService::List(base::CallContextPtr, std::string_view, base::UnaryDone done) const {
  HealthListResponse response;
  (*response.mutable_statuses())[""].set_status(HealthCheckResponse::SERVING);
  done(base::Body(base::Rope(response.SerializeAsString())));
}

std::unique_ptr<base::StreamHandler> HealthService::Watch(base::CallContextPtr,
                                                          base::StreamSinkPtr sink) const {
  return std::make_unique<WatchCall>(std::move(sink));
}

}  // namespace etcd::api::v3
