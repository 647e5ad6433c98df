#pragma once

#include <cstddef>

#include <absl/status/statusor.h>

#include "server/membership/member.h"
#include "server/raft/payload.h"

// What may get into the log on another member's word. etcd's leaders append whatever is forwarded
// to them, and one entry that cannot be applied ends every member, again at each start
// (raft-peer-storage.md 3.11, traps 1, 2, 31). The checks here are those of whoever appends: what
// is committed already has to be applied by all of them alike.
namespace etcdserverpb {
class InternalRaftRequest;
}

namespace etcd::apply {

struct EntryRules {
  std::size_t bytes_max = 0;
  // Operations of later versions than the oldest member end its process: 3.<minor>.
  int oldest_minor = 0;
  // The same of v2 requests and the newest member that is no server of this kind; 0: all are.
  int newest_foreign_minor = 0;
  int own_minor = 0;  // a cluster version above it ends this member
  // Null: this member may not know all members yet, so that ids cannot be judged.
  const membership::View* members = nullptr;
  // Set where this leader appends: the members that a change of the configuration will meet. While
  // earlier changes are not applied they may be others, but then raft takes no further one.
  const membership::View* appended_to = nullptr;
};

// An entry of type kNormal. Returns the bytes to append: the same or, where decoders might read
// them differently (unknown or repeated fields, another order), encoded anew. kInvalidArgument says
// in constant words what is wrong with it.
absl::StatusOr<raft::Payload> CheckRequest(const raft::Payload& data, const EntryRules& rules);

// What only a server that keeps users, roles and permissions can carry out as the others do:
// changes of them, and requests in the name of a user. Logins only make a token, and readers change
// nothing.
bool NeedsAuth(const etcdserverpb::InternalRaftRequest& request);

// An entry of type kConfChange; its context is always encoded anew, since JSON has many readings.
// Whether the change fits the state is decided when it is applied, and answered then.
absl::StatusOr<raft::Payload> CheckConfChange(const raft::Payload& data, const EntryRules& rules);

}  // namespace etcd::apply
