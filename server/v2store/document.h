#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "server/base/ids.h"

// The v2 store lives on only as the JSON in .snap files and snapshot messages: etcd 3.4 and 3.5
// load members, removed members and cluster version from it; 3.6 and this server have them in the
// backend and still write it for the others.
namespace etcd::v2store {

struct MemberNode {
  MemberId id;
  std::string raft_attributes;  // JSON, /0/members/<id>/raftAttributes
  std::string attributes;       // JSON, /0/members/<id>/attributes; "" when not published yet

  bool operator==(const MemberNode&) const = default;
};

// Members and removed ids ascending.
struct Document {
  std::vector<MemberNode> members;
  std::vector<MemberId> removed;
  std::string version;  // "3.6.0"; "" before it is decided

  bool operator==(const Document&) const = default;
};

// Written as 3.6 does it: a fresh store that creates each node in turn; CurrentIndex counts them.
// WatcherHub and Stats are left out, which every version accepts.
std::string Render(const Document& document);

// Takes what any etcd wrote; other parts of the tree (/1, /2) are ignored. kDataLoss when it is no
// such document.
absl::StatusOr<Document> Parse(std::string_view json);

}  // namespace etcd::v2store
