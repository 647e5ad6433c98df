#include "server/rafthttp/url_stream.h"

#include <utility>

#include "server/base/status.h"

namespace etcd::rafthttp {
namespace {

absl::StatusOr<std::unique_ptr<net::ByteStream>> MakeStream(int descriptor,
                                                            const config::Url& url) {
  auto plain = net::MakePlainStream(descriptor);
  RETURN_IF_ERROR(CheckScheme(url));
  return plain;
}

}  // namespace

absl::StatusOr<net::Endpoint> EndpointOf(const config::Url& url) {
  if (url.is_unix()) return net::Endpoint{.host = {}, .port = {}, .unix_path = url.host};
  ASSIGN_OR_RETURN(config::HostPort parts, config::SplitHostPort(url.host));
  return net::Endpoint{
      .host = std::move(parts.host), .port = std::move(parts.port), .unix_path = {}};
}

absl::StatusOr<std::unique_ptr<net::ByteStream>> MakeClientStream(int descriptor,
                                                                  const config::Url& url) {
  return MakeStream(descriptor, url);
}

absl::StatusOr<std::unique_ptr<net::ByteStream>> MakeServerStream(int descriptor,
                                                                  const config::Url& url) {
  return MakeStream(descriptor, url);
}

absl::Status CheckScheme(const config::Url& url) {
  if (!url.is_tls()) return absl::OkStatus();
  return base::MakeStatus(absl::StatusCode::kUnimplemented,
                          "TLS between peers is not supported yet: " + url.ToString());
}

}  // namespace etcd::rafthttp
