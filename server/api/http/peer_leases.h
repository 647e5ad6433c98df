#pragma once

#include "server/api/http/peer_handler.h"

namespace etcd::api::http {

// Lease calls that another member forwards to this one because it leads: POST /leases (keepalive)
// and /leases/internal (time to live). raft-peer-storage.md 3.16.
void ServeLeaseRenewal(const PeerDeps& deps, const base::HttpRequest& request,
                       base::HttpResponderPtr responder);
void ServeLeaseTimeToLive(const PeerDeps& deps, const base::HttpRequest& request,
                          base::HttpResponderPtr responder);

}  // namespace etcd::api::http
