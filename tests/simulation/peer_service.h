#pragma once

#include "server/base/http_call.h"
#include "tests/simulation/peer_port.h"

namespace etcd::simulation {

// Plain requests of peers, answered by the handler of the peer port; it outlives what is returned.
PeerPort::Serve ServeBy(base::HttpHandler& handler);

}  // namespace etcd::simulation
