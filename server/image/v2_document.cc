#include "server/image/v2_document.h"

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

}  // namespace etcd::image
