#pragma once

#include <cstdint>

#include "server/transport/open_call.h"

namespace etcd::transport {

// Opens a plain HTTP request that came over HTTP/2: it goes to the server's HttpHandler.
void OpenHttpStream(H2Session& session, std::int32_t stream_id, RequestHead& head,
                    AdoptStream adopt);

}  // namespace etcd::transport
