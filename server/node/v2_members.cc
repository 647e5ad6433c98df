#include "server/node/v2_members.h"

#include "server/base/status.h"

namespace etcd::node {

absl::StatusOr<membership::View> ViewOf(const v2store::Document& document) {
  membership::View view;
  for (const v2store::MemberNode& node : document.members) {
    ASSIGN_OR_RETURN(membership::Member member,
                     membership::DecodeRaftAttributes(node.raft_attributes));
    member.id = node.id;
    if (!node.attributes.empty()) {
      ASSIGN_OR_RETURN(const membership::Member published,
                       membership::DecodeAttributes(node.attributes));
      member.name = published.name;
      member.client_urls = published.client_urls;
    }
    view.members[node.id] = std::move(member);
  }
  view.removed.insert(document.removed.begin(), document.removed.end());
  view.cluster_version = document.version;
  return view;
}

}  // namespace etcd::node
