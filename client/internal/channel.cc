#include <string>
#include <utility>

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "client/internal/core.h"

namespace etcd::client::internal {
namespace {

constexpr auto kReplaceInterval = std::chrono::milliseconds(100);
constexpr auto kSuspicion = std::chrono::seconds(1);

int Milliseconds(std::chrono::milliseconds time) { return static_cast<int>(time.count()); }

grpc::ChannelArguments ArgumentsOf(const Config& config) {
  grpc::ChannelArguments arguments;
  // A list of every key may be as large as the server sends it.
  arguments.SetMaxReceiveMessageSize(-1);
  // Channels share nothing, so that one client's failed connections do not slow another's down.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(config.keepalive_time));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(config.keepalive_timeout));
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // The least backoff is also the limit of one attempt to connect.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(config.dial_timeout));
  // A failed channel is replaced when it is wanted (Current); it must not go on by itself.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 60'000);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 100);
  // Members are never behind a proxy, and nobody configures gRPC for them by a TXT record.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return arguments;
}

}  // namespace

Endpoint::Endpoint(std::string name, std::string target, const Config& config)
    : name_(std::move(name)), target_(std::move(target)), config_(config) {}

std::shared_ptr<grpc::Channel> Endpoint::Current() {
  const std::lock_guard lock(mutex_);
  const auto now = SteadyClock::now();
  const bool is_stale = channel_ != nullptr &&
                        channel_->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE &&
                        now - made_ >= kReplaceInterval;
  if (channel_ == nullptr || is_stale) {
    made_ = now;
    channel_ = grpc::CreateCustomChannel(target_, grpc::InsecureChannelCredentials(),
                                         ArgumentsOf(config_));
  }
  return channel_;
}

void Endpoint::Suspect() {
  suspect_until_ = (SteadyClock::now() + kSuspicion).time_since_epoch().count();
}

bool Endpoint::IsSuspect() const {
  return SteadyClock::now().time_since_epoch().count() < suspect_until_;
}

}  // namespace etcd::client::internal
