#pragma once

#include "server/base/ids.h"
#include "server/base/rope.h"
#include "server/base/status.h"

namespace etcd::apply {

// What applying an entry gave, as the waiter on the proposing member gets it.
struct Result {
  // A failed command is a result like any other: the same on all members.
  absl::Status status;
  // The response message without its header (field 1), encoded: the api layer writes the header in
  // front, since ids and term differ from member to member.
  base::Rope body;
  // header.revision of the response; 0: the api layer puts the current revision.
  Revision revision;
  // Index of the entry.
  Index index;
};

}  // namespace etcd::apply
