#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "server/api/http/http_handler.h"
#include "server/api/v3/services.h"
#include "server/config/config.h"
#include "server/main/data_dir.h"
#include "server/node/member.h"
#include "server/rafthttp/options.h"
#include "server/transport/options.h"
#include "server/watch/watch_hub.h"

// What the flags mean to each part. Pure.
namespace etcd::server {

// Room for a request's own fields beside --max-request-bytes, as gRPC's limit in etcd has it.
inline constexpr std::uint64_t kRequestOverheadBytes = 512 * 1024;

node::MemberOptions MakeMemberOptions(const config::Config& config, const DataDir& dir);
rafthttp::TransportOptions MakePeerOptions(const config::Config& config);
watch::WatchOptions MakeWatchOptions(const config::Config& config);
api::v3::Options MakeApiOptions(const config::Config& config);
api::http::Options MakeHttpOptions(const config::Config& config);

// Client URLs; with --listen-client-http-urls these serve HTTP and the others gRPC only.
absl::StatusOr<transport::ServerOptions> MakeClientOptions(const config::Config& config);
// --listen-metrics-urls.
absl::StatusOr<transport::ServerOptions> MakeMetricsOptions(const config::Config& config);

}  // namespace etcd::server
