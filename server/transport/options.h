#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace etcd::transport {

// One address to listen on, and what is served there.
struct ListenEndpoint {
  std::string host;         // address or name; "" is every interface. Unused for unix sockets
  std::uint16_t port = 0;   // 0: the kernel chooses, see Server::Listen
  std::string unix_path;    // not empty: a unix socket at this path
  bool reuse_port = false;  // SO_REUSEPORT: several processes may listen there
  bool serve_grpc = true;   // HTTP/2 connections
  bool serve_http = true;   // HTTP/1 connections
  // HTTP/2 requests that are not gRPC go to the HttpHandler instead of being refused with 415. etcd
  // does so only on TLS.
  bool http_over_http2 = false;
};

struct ServerOptions {
  std::vector<ListenEndpoint> endpoints;
  std::size_t loops = 0;  // 0: one per processor

  // gRPC.
  std::size_t receive_message_bytes_max = 2 * 1024 * 1024;
  std::uint32_t concurrent_streams_max = 0xffffffff;  // per connection

  // Keepalive. Pings of a client that come faster than `ping_min_time` are strikes; zero turns the
  // check off. The server pings a connection silent for `ping_interval` and closes it when nothing
  // comes back within `ping_timeout`; off unless both are positive.
  std::chrono::nanoseconds ping_min_time = std::chrono::seconds(5);
  std::chrono::nanoseconds ping_interval = std::chrono::hours(2);
  std::chrono::nanoseconds ping_timeout = std::chrono::seconds(20);

  // Limits against hostile or broken clients.
  std::size_t header_bytes_max = 64 * 1024;           // one header list, HPACK's way of counting
  std::size_t http_body_bytes_max = 4 * 1024 * 1024;  // body of a plain HTTP request
  std::size_t http_pending_bytes_max = 64 * 1024 * 1024;  // unread answer before it is cut off
  std::size_t connection_request_bytes_max =
      64 * 1024 * 1024;  // incomplete requests, one connection
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(10);  // preface, header block
  std::chrono::nanoseconds http_idle_timeout = std::chrono::minutes(5);   // between HTTP/1 requests
  std::size_t half_open_max = 1024;  // connections without a first request line or SETTINGS
  std::size_t connections_max = 0;   // 0: the descriptor limit less a reserve of 150
  // Bytes of unary responses made and not yet sent. Above it new unary requests wait, at most
  // `response_wait_max`, then fail with ResourceExhausted.
  std::size_t response_bytes_max = 256 * 1024 * 1024;
  std::chrono::nanoseconds response_wait_max = std::chrono::seconds(5);
};

}  // namespace etcd::transport
