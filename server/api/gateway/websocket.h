#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "server/base/http_call.h"

// WebSockets on the paths of the gateway: every text message is a piece of the request's body,
// every line of the answer a text message.
namespace etcd::api::gateway {

// A request that asks for a WebSocket, well or not.
bool AsksForWebSocket(const base::HttpRequest& request);

// Opens the call that the messages are for: as if `request`, a POST, had come over HTTP.
using OpenBody = std::function<std::shared_ptr<base::HttpBodyReader>(base::HttpRequest request,
                                                                     base::HttpResponderPtr)>;

// Answers the handshake (RFC 6455, 4.2): 101, or 400 and null. A token may come as the subprotocol
// "Bearer, TOKEN", since browsers set no headers. The connection ends with the call.
std::shared_ptr<base::HttpBodyReader> StartWebSocket(base::HttpRequest request,
                                                     base::HttpResponderPtr responder,
                                                     std::size_t message_bytes_max,
                                                     const OpenBody& open);

}  // namespace etcd::api::gateway
