#pragma once

#include <memory>

#include "server/base/executor.h"
#include "server/base/http_call.h"
#include "server/node/member.h"
#include "server/node/node.h"
#include "server/storage/mvcc/store.h"

namespace etcd::lease {
class Lessor;
}

namespace etcd::api::http {

// All of it outlives the handler and the answers under way.
struct PeerDeps {
  node::Node& node;
  mvcc::Store& store;
  lease::Lessor& lessor;
  base::Executor& background;      // timers; nothing heavy runs there
  base::Executor& bulk;            // whole-store hashes
  node::Member* member = nullptr;  // what only members ask of each other (/members/rebuild)
  std::string server_version;      // what this member really is, for members of the same make
};

// What other members ask on the peer port outside of /raft: /members, /members/promote/{id},
// /members/rebuild, /members/hashkv, /version, /leases, /leases/internal, /downgrade/enabled
// (raft-peer-storage.md 3.12-3.18). Bodies are bounded by the transport.
std::unique_ptr<base::HttpHandler> MakePeerHandler(PeerDeps deps);

}  // namespace etcd::api::http
