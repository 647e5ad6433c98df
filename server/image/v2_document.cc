#include "server/image/v2_document.h"

#include <utility>

#include "server/base/status.h"
#include "server/v2store/document.h"

namespace etcd::image {

std::string RenderV2Document(const membership::View& view) {
  v2store::Document document;
  for (const auto& [id, member] : view.members) {
    const bool published = !member.name.empty();
    document.members.push_back({id, membership::EncodeRaftAttributes(member),
                                published ? membership::EncodeAttributes(member) : ""});
  }
  document.removed.assign(view.removed.begin(), view.removed.end());
  document.version = view.cluster_version;
  return v2store::Render(document);
}

absl::StatusOr<membership::View> ParseV2Document(std::string_view text) {
  ASSIGN_OR_RETURN(const v2store::Document document, v2store::Parse(text));
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

}  // namespace etcd::image
